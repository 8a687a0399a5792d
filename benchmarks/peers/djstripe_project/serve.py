"""Gunicorn with Django's own application on a free port, which it prints; the options are gunicorn's."""

import json
import os
import socket
import sys

listening = socket.socket()
listening.bind(("127.0.0.1", 0))
listening.listen(2048)
os.set_inheritable(listening.fileno(), True)
print(json.dumps({"port": listening.getsockname()[1]}), flush=True)
gunicorn = [sys.executable, "-m", "gunicorn", "--bind", f"fd://{listening.fileno()}", "--log-level", "error"]
os.execv(sys.executable, [*gunicorn, *sys.argv[1:], "wsgi:application"])
