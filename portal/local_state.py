"""What one deployment keeps in its own folder, VAR_DIR, besides the database.

Nothing here may import Django's settings: the settings are made with it.
"""

import hashlib
import os
import secrets
import tempfile
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

# The kernel's limit for the path of a Unix socket is 108 bytes on Linux and 104 on macOS.
LONGEST_SOCKET_PATH = 100


def kept_secret(var_dir: Path) -> str:
    """Return the demo's secret key, made once and readable by its owner only.

    Raises ImproperlyConfigured when the folder cannot be written.
    """
    path = var_dir / "secret_key"
    try:
        var_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        return path.read_text() if path.exists() else _make_secret(path)
    except OSError as error:
        raise ImproperlyConfigured(
            f"The folder {var_dir} cannot be written ({error.strerror}). Set VAR_DIR to one that can."
        ) from None


def _make_secret(path: Path) -> str:
    """Write a new key under a name of its own first: two processes may start at once."""
    own = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(own, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_urlsafe(64))
    try:
        os.link(own, path)
    except FileExistsError:
        pass
    finally:
        own.unlink()
    return path.read_text()


def bundled_redis_socket(var_dir: Path) -> Path:
    """Return where the bundled Redis of this folder listens; each folder has its own."""
    inside = var_dir / "redis" / "redis.sock"
    if len(os.fsencode(inside)) <= LONGEST_SOCKET_PATH:
        return inside
    short = hashlib.sha256(os.fsencode(var_dir)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"stepwise-{os.getuid()}-{short}" / "redis.sock"
