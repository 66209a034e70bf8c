"""Signatures of receipts: Ed25519, so that anyone with the public key can check what the private one has signed."""

import base64
import hashlib
import os
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from configs.errors import ConfigurationError
from configs.shown import shown

_RAW = (serialization.Encoding.Raw, serialization.PublicFormat.Raw)


def default_key() -> Path:
    """Where the signing key lies unless another is named: `openroots/signing-key.pem` among the user's settings."""
    base = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(base) / "openroots" / "signing-key.pem"


def load_key(path: str | None) -> tuple[Ed25519PrivateKey, bool]:
    """The signing key of a PEM file, and whether it was made now, as only the default is. Raises ConfigurationError."""
    place = Path(path) if path else default_key()
    try:
        if path is None and not place.exists():
            return _make(place), True
        key = serialization.load_pem_private_key(place.read_bytes(), password=None)
    except FileNotFoundError:
        raise ConfigurationError(f"{shown(place)}: there is no such file") from None
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ConfigurationError(f"{shown(place)}: no signing key that can be read: {shown(error, 200)}") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigurationError(f"{shown(place)}: is not an Ed25519 key; make one: openssl genpkey -algorithm ed25519")
    return key, False


def _make(place: Path) -> Ed25519PrivateKey:
    key = Ed25519PrivateKey.generate()
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with open(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
        stream.write(key.private_bytes(*form))
    return key


def sign(key: Ed25519PrivateKey, data: bytes) -> dict[str, str]:
    """Algorithm, public key and signature of some bytes, base64."""
    public, signature = key.public_key().public_bytes(*_RAW), key.sign(data)
    return {"algorithm": "ed25519", "public_key": _text(public), "signature": _text(signature)}


def is_signed(signature: dict[str, str], data: bytes) -> bool:
    """Whether a signature that `sign` made is of these bytes."""
    try:
        key = Ed25519PublicKey.from_public_bytes(base64.b64decode(signature["public_key"], validate=True))
        key.verify(base64.b64decode(signature["signature"], validate=True), data)
    except (InvalidSignature, ValueError, KeyError, TypeError):
        return False
    return signature.get("algorithm") == "ed25519"


def fingerprint(public_key: str) -> str:
    """What people compare of a public key (base64): the start of its SHA-256."""
    return hashlib.sha256(public_key.encode()).hexdigest()[:16]


def read_public_key(path: str) -> str:
    """The public key in a PEM file, base64. Raises ConfigurationError."""
    try:
        key = serialization.load_pem_public_key(Path(path).read_bytes())
    except FileNotFoundError:
        raise ConfigurationError(f"{shown(path)}: there is no such file") from None
    except (OSError, ValueError, UnsupportedAlgorithm) as error:
        raise ConfigurationError(f"{shown(path)}: no public key that can be read: {shown(error, 200)}") from None
    if not isinstance(key, Ed25519PublicKey):
        raise ConfigurationError(f"{shown(path)}: is not an Ed25519 key")
    return _text(key.public_bytes(*_RAW))


def public_pem(public_key: str) -> bytes:
    """A public key (base64) as PEM."""
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public_key))
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
