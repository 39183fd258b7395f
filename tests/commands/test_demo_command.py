import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from mnist_lightning.commands.demo import main

ROOT = Path(__file__).parents[2]


def error_of(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    assert main(argv) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")
    assert captured.err.count("\n") == 1
    return captured.err


def test_a_port_in_use_is_named_before_anything_is_loaded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a_model.pt").write_bytes(b"")
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        error = error_of(capsys, "--output_dir", str(tmp_path), "--port", port)
    assert port in error
    assert "--port 0" in error


@pytest.mark.slow  # a new process, and torch is slow to import
@pytest.mark.skipif(os.name == "nt", reason="SIGINT cannot be sent to another process")
def test_command_serves_on_loopback_until_ctrl_c(tiny_data_dir: Path) -> None:
    command = [sys.executable, ROOT / "scripts" / "demo.py", "--port", "0"]
    command += ["--output_dir", ROOT / "output" / "published", "--data_dir", tiny_data_dir]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT
    ) as server:
        assert server.stdout is not None
        line = server.stdout.readline()
        url = line.split(" at ")[1].split()[0]
        assert url.startswith("http://127.0.0.1:")
        with urllib.request.urlopen(url, timeout=10) as answer:
            assert b"<h1>Draw a digit</h1>" in answer.read()
        # A request that is still being sent must not turn Ctrl-C into a traceback.
        with socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2]))) as half:
            half.sendall(b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 784\r\n")
            half.sendall(b"Content-Type: application/octet-stream\r\n\r\nhalf")
            time.sleep(0.5)
            server.send_signal(signal.SIGINT)
            _, complaints = server.communicate(timeout=20)
    assert server.returncode == 130
    assert "Traceback" not in complaints
    assert "warning: --host" not in complaints
    assert complaints.endswith("interrupted\n")
