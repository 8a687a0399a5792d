"""Ids that look like Stripe's and follow from a seed and a name, so that one scenario gives one set of ids."""

from hashlib import blake2b

from payment_kit.sandbox.kinds import KINDS

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
# every byte to a letter: a little uneven, and ten times as fast as counting in base 62
_LETTERS = bytes(ord(ALPHABET[byte % 62]) for byte in range(256))

_REQUEST = ("req_", 14)


def text(length: int, *parts: object) -> str:
    """`length` (at most 64) letters and digits that follow from `parts`."""
    digest = blake2b("\x1f".join(map(str, parts)).encode(), digest_size=length).digest()
    return digest.translate(_LETTERS).decode()


def derive(kind: str, *parts: object) -> str:
    """The id of an object of `kind`, or of a ``request``, that follows from `parts`."""
    shape = KINDS.get(kind)
    prefix, length = _REQUEST if shape is None else (shape.prefix, shape.length)
    return prefix + text(length, kind, *parts)


def share(*parts: object) -> float:
    """A number in [0, 1) that follows from `parts`: the seeded dice of the fault plan."""
    return int.from_bytes(blake2b("\x1f".join(map(str, parts)).encode(), digest_size=6).digest()) / (1 << 48)


def account(seed: int) -> str:
    """The account id of a seed."""
    return "acct_sandbox" + blake2b(f"account {seed}".encode(), digest_size=5).hexdigest()


def application(seed: int) -> str:
    """The id of the Connect application of a seed's account."""
    return "ca_" + text(32, "application", seed)


def api_key(seed: int) -> str:
    """The one secret key of a seed's account."""
    return "sk_test_sandbox" + text(24, "key", seed)
