"""See that the page's tests have their browser: install Debian's, or say loudly that they skip."""

import os
import shutil
import subprocess
import sys


def find() -> str | None:
    return shutil.which("chromium") or shutil.which("google-chrome")


def main() -> int:
    if find():
        return 0
    if shutil.which("apt-get") and os.geteuid() == 0:
        subprocess.run(["apt-get", "update", "-q"], check=False, stdout=subprocess.DEVNULL)
        install = ["apt-get", "install", "-y", "-q", "--no-install-recommends", "chromium"]
        subprocess.run(install, check=False, stdout=subprocess.DEVNULL)
    if find():
        return 0
    print("NO CHROMIUM: the report's browser tests will be skipped.", file=sys.stderr)
    print("The way out: apt-get install chromium", file=sys.stderr)
    return 1 if os.environ.get("CI") else 0


if __name__ == "__main__":
    sys.exit(main())
