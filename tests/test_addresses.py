"""Where a server may listen, and how it is said when it may not."""

import errno
import socket

import pytest

from payment_kit.addresses import port_taken, require_free
from payment_kit.errors import UsageProblem


def test_a_port_somebody_listens_on_is_taken_and_port_0_never() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        with pytest.raises(UsageProblem, match=f"Port {taken} of 127.0.0.1 is taken"):
            require_free("127.0.0.1", taken)
        require_free("127.0.0.1", 0)


def test_a_port_this_account_may_not_use_is_not_called_taken() -> None:
    refused = port_taken("127.0.0.1", 80, PermissionError(errno.EACCES, "Permission denied"))
    assert refused.what == "Port 80 of 127.0.0.1 cannot be used: Permission denied."
