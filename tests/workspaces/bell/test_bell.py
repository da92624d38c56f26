"""The program as its users run it. It knows nothing of coverage."""

import subprocess

BELL = "./bell"


def test_it_rings():
    output = subprocess.run([BELL, "2"], capture_output=True, text=True)
    assert output.stdout == "ding\nding\n"


def test_it_waits_until_it_is_killed():
    bell = subprocess.Popen([BELL, "0"], stdout=subprocess.PIPE, text=True)
    assert bell.stdout.readline() == "waiting\n"
    bell.kill()
    bell.wait()
