"""The licence of every installed package, as its metadata states it; for `make check-supply`."""

from importlib import metadata


def stated(package: metadata.Distribution) -> str:
    """Return a package's licence: its expression, else its classifiers, else its text's start."""
    about = package.metadata
    named = [c.rsplit("::", 1)[1].strip() for c in about.get_all("Classifier") or []
             if c.startswith("License ::")]  # fmt: skip
    text = " ".join((about.get("License") or "").split())[:60]
    return about.get("License-Expression") or "; ".join(named) or text or "not stated"


def main() -> None:
    """Print one line a package."""
    rows = {(p.metadata["Name"], p.version, stated(p)) for p in metadata.distributions()}
    for name, version, licence in sorted(rows, key=lambda row: row[0].lower()):
        print(f"{name} {version}: {licence}")


if __name__ == "__main__":
    main()
