"""Certificates to sign content credentials with, and what credentials say."""

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import c2pa
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

GENERATED, EDITED = "trainedAlgorithmicMedia", "compositeWithTrainedAlgorithmicMedia"
USAGES = (
    "digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
    "key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
)  # fmt: skip
NOW = datetime.now(timezone.utc)


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@dataclass(frozen=True)
class Certificate:
    """A certificate, its key, and who vouches for it."""

    certificate: x509.Certificate
    key: Any
    above: "Certificate | None"

    @property
    def pem(self) -> bytes:
        """The whole chain, its own first."""
        own = self.certificate.public_bytes(Encoding.PEM)
        return own + (self.above.pem if self.above else b"")

    def key_pem(
        self,
        password: bytes | None = None,
        form: PrivateFormat = PrivateFormat.PKCS8,
    ) -> bytes:
        """The private key, in one of the formats that there are for it."""
        secret = BestAvailableEncryption(password) if password else NoEncryption()
        return self.key.private_bytes(Encoding.PEM, form, secret)


def certificate(
    name: str,
    above: Certificate | None = None,
    *,
    key: Any = None,
    ends: timedelta = timedelta(days=365),
    purpose: x509.ObjectIdentifier = ExtendedKeyUsageOID.EMAIL_PROTECTION,
) -> Certificate:
    """Make one that signs pictures, or with nothing above it one that vouches."""
    key = key or new_key()
    vouches = above is None
    signs = above.key if above else key
    subject = _named(name)
    usage = "key_cert_sign" if vouches else "digital_signature"
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(above.certificate.subject if above else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - timedelta(days=2))
        .not_valid_after(NOW + ends)
        .add_extension(x509.BasicConstraints(vouches, None), critical=True)
        .add_extension(
            x509.KeyUsage(**{each: each == usage for each in USAGES}), critical=True
        )
        .add_extension(
            x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False
        )
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signs.public_key()),
            critical=False,
        )
    )
    if not vouches:
        use = x509.ExtendedKeyUsage([purpose])
        builder = builder.add_extension(use, critical=False)
    return Certificate(builder.sign(signs, hashes.SHA256()), key, above)


def _named(name: str) -> x509.Name:
    common = x509.NameAttribute(NameOID.COMMON_NAME, name)
    return x509.Name([common, x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Tests")])


def save_certificates(folder: Path) -> Certificate:
    """Save `one.pem` and `two.pem`, both of `one.key`, and `other.key`; return one."""
    authority = certificate("an authority")
    one = certificate("one", authority)
    two = certificate("two", authority, key=one.key)
    (folder / "one.pem").write_bytes(one.pem)
    (folder / "two.pem").write_bytes(two.pem)
    (folder / "one.key").write_bytes(one.key_pem())
    (folder / "other.key").write_bytes(authority.key_pem())
    return one


@dataclass(frozen=True)
class Credentials:
    """What the credentials of a file say, as c2pa's own reader has it."""

    state: str
    faults: list[str]
    signed_by: str
    actions: list[dict[str, Any]]
    manifest: dict[str, Any]
    whole: str
    """All of it, in JSON."""

    @property
    def source(self) -> str:
        """Of what kind the picture is, without the address before it."""
        return str(self.actions[-1]["digitalSourceType"]).rpartition("/")[2]


def credentials(path: Path, trusted: bytes | None = None) -> Credentials:
    """Read and judge the credentials of a file.

    Args:
        trusted: certificates that are taken for known, in PEM.
    """
    settings: dict[str, Any] = {"verify": {"remote_manifest_fetch": False}}
    if trusted:
        settings["trust"] = {"user_anchors": trusted.decode()}
    with c2pa.Context.from_dict(settings) as context:
        reader = c2pa.Reader.try_create(path, context=context)
    assert reader is not None, f"{path} has none"
    with reader:
        manifest = reader.get_active_manifest()
        results = reader.get_validation_results()["activeManifest"]
        return Credentials(
            state=reader.get_validation_state(),
            faults=[fault["code"] for fault in results["failure"]],
            signed_by=manifest["signature_info"]["common_name"],
            actions=manifest["assertions"][0]["data"]["actions"],
            manifest=manifest,
            whole=reader.json(),
        )
