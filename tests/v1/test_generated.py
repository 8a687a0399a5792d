"""The committed code of payment_kit/v1, and the types of the client, are what the .proto files say."""

import importlib.util
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]


def test_generating_again_gives_the_committed_files(tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("generate", REPOSITORY / "proto" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    module.generate(tmp_path)

    assert _contents(tmp_path / "payment_kit" / "v1") == _contents(REPOSITORY / "payment_kit" / "v1")
    client = Path("payment_kit/client/services.pyi")
    assert (tmp_path / client).read_text() == (REPOSITORY / client).read_text()


def _contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
