"""Writes payment_kit/v1 from the .proto files beside this one: messages, services and their types, and the client's.

Run it as ``python proto/generate.py [FOLDER]``; a test generates into a temporary folder and compares. The descriptor
set (payment_kit/v1/payment_kit.binpb) is for other languages, tools and the rendered documents: it carries the
comments, and what the details of an error are made of.
"""

import runpy
import subprocess
import sys
from pathlib import Path

from google.rpc import status_pb2
from grpc_tools import protoc

PROTO = Path(__file__).resolve().parent
INCLUDE = Path(protoc.__file__).resolve().parent / "_proto"
GOOGLEAPIS = Path(status_pb2.__file__).resolve().parents[2]
ERRORS = ("google/rpc/status.proto", "google/rpc/error_details.proto")
BIN = Path(sys.executable).parent
INIT = '"""The generated protobuf and gRPC code of proto/payment_kit/v1; never edited by hand."""\n'


def generate(folder: Path) -> None:
    """Generates the package payment_kit.v1 below `folder`; raises SystemExit when a .proto file is wrong."""
    package = folder / "payment_kit" / "v1"
    package.mkdir(parents=True, exist_ok=True)
    sources = sorted(str(path.relative_to(PROTO)) for path in PROTO.rglob("*.proto"))
    code = [
        *(f"--plugin=protoc-gen-{name}={BIN / f'protoc-gen-{name}'}" for name in ("mypy", "mypy_grpc")),
        f"--python_out={folder}",
        f"--grpc_python_out={folder}",
        f"--mypy_out=quiet:{folder}",
        f"--mypy_grpc_out=quiet:{folder}",
    ]
    described = package / "payment_kit.binpb"
    whole = [f"-I{GOOGLEAPIS}", f"--descriptor_set_out={described}", "--include_imports", "--include_source_info"]
    for arguments in ([*code, *sources], [*whole, *sources, *ERRORS]):
        if protoc.main(["protoc", f"-I{PROTO}", f"-I{INCLUDE}", *arguments]):
            raise SystemExit("protoc refused the .proto files; see above")
    (package / "__init__.py").write_text(INIT)
    client = folder / "payment_kit" / "client" / "services.pyi"
    client.parent.mkdir(exist_ok=True)
    types = runpy.run_path(str(PROTO / "client_types.py"))["types"]
    client.write_text(types(described.read_bytes()))
    ruff = [BIN / "ruff", "--config", PROTO.parent / "pyproject.toml"]
    subprocess.run([*ruff, "check", "-q", "--fix", "--select=I,F401", client], check=True)
    subprocess.run([*ruff, "format", "-q", client], check=True)


if __name__ == "__main__":
    generate(Path(sys.argv[1]) if len(sys.argv) > 1 else PROTO.parent)
