"""Content credentials: what they say, who signed it, and what is noticed."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID
from PIL import Image

from imaginairy import C2paSigner, ImaginePrompt, ImagineResult, LazyLoadingImage
from imaginairy.cli.aimg import aimg
from imaginairy.errors import BadOptionError, CannotSaveError
from imaginairy.metadata.credentials import Provenance
from imaginairy.metadata.read import read_metadata
from imaginairy.order import filled
from imaginairy.sources.catalog import known
from imaginairy.sources.roles import DRAWS
from imaginairy.version import __version__
from tests.support.credentials import (
    EDITED,
    GENERATED,
    Certificate,
    certificate,
    credentials,
    new_key,
    save_certificates,
)
from tests.support.parts import is_bare, parts

ROOT = Path(__file__).parents[2]
NOISE = Image.fromarray(
    np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with certificates."""
    folder = tmp_path_factory.mktemp("certificates")
    save_certificates(folder)
    return folder


@pytest.fixture(scope="module")
def signer(folder: Path) -> C2paSigner:
    return C2paSigner(folder / "one.pem", folder / "one.key")


def result(init_image: Any = None, references: Any = ()) -> ImagineResult:
    prompt = ImaginePrompt(
        "a telling tale", seed=1, init_image=init_image, reference_images=references
    )
    return ImagineResult(
        prompt=filled(prompt, known(DRAWS, "sd15")),
        images={"generated": NOISE},
        model_hash=lambda: "ab" * 32,
    )


@pytest.mark.parametrize("name", ["a.jpg", "a.png"])
def test_a_signed_picture_says_that_it_was_generated_and_by_what(
    name: str, tmp_path: Path, signer: C2paSigner
) -> None:
    path = result().save(tmp_path / name, signer=signer)
    said = credentials(path)
    agent = {"name": "imaginairy", "version": __version__}
    (created,) = said.actions
    assert (created["action"], created["softwareAgent"]) == ("c2pa.created", agent)
    assert said.source == GENERATED
    assert (said.state, said.signed_by) == ("Valid", "one")
    assert said.faults == ["signingCredential.untrusted"], "nobody knows its authority"
    assert "ingredients" not in said.manifest and "thumbnail" not in said.manifest
    assert said.manifest["claim_generator_info"][0].items() >= agent.items()
    assert "telling" not in said.whole, "the prompt stands in the metadata alone"
    assert read_metadata(path)["prompt_text"] == "a telling tale"
    assert [each.name for each in tmp_path.iterdir()] == [name]
    with Image.open(path) as image, Image.open(result().save(tmp_path / "b.png")) as b:
        assert image.size == b.size
        if name.endswith(".png"):
            assert image.tobytes() == b.tobytes()


def test_its_authority_can_be_trusted(
    tmp_path: Path, signer: C2paSigner, folder: Path
) -> None:
    path = result().save(tmp_path / "a.png", signer=signer)
    said = credentials(path, trusted=(folder / "one.pem").read_bytes())
    assert (said.state, said.faults) == ("Trusted", [])


@pytest.mark.parametrize("name", ["a.jpg", "a.png"])
def test_what_is_changed_after_it_was_signed_is_noticed(
    name: str, tmp_path: Path, signer: C2paSigner
) -> None:
    """Be it the picture or what it says of itself."""
    path = result().save(tmp_path / name, signer=signer)
    whole = path.read_bytes()
    for at in (whole.index(b"a telling tale"), len(whole) - 50):
        data = bytearray(whole)
        data[at] ^= 1
        path.write_bytes(data)
        said = credentials(path)
        assert said.state == "Invalid"
        assert "assertion.dataHash.mismatch" in said.faults


@pytest.mark.parametrize("name", ["a.jpg", "a.png"])
def test_without_metadata_the_credentials_alone_are_there(
    name: str, tmp_path: Path, signer: C2paSigner
) -> None:
    path = result().save(tmp_path / name, metadata=False, signer=signer)
    assert credentials(path).state == "Valid"
    assert not is_bare(path)
    result().save(tmp_path / f"bare-{name}", metadata=False)
    assert len(parts(path) - parts(tmp_path / f"bare-{name}")) == 1
    assert b"telling" not in path.read_bytes()


def test_an_edited_picture_says_of_what_it_was_made(
    tmp_path: Path, signer: C2paSigner
) -> None:
    """The credentials of that, where it has some, are kept in its own."""
    first = result().save(tmp_path / "first.png", signer=signer)
    path = result(LazyLoadingImage(filepath=first)).save(
        tmp_path / "second.jpg", signer=signer
    )
    said = credentials(path)
    opened, edited = said.actions
    assert (opened["action"], edited["action"]) == ("c2pa.opened", "c2pa.edited")
    assert (said.state, said.source) == ("Valid", EDITED)
    (before,) = said.manifest["ingredients"]
    assert (before["relationship"], before["format"]) == ("parentOf", "image/png")
    assert before["active_manifest"] == credentials(first).manifest["label"]
    assert "title" not in before, "the name of a file is nobody's business"
    third = result(references=[first, path]).save(tmp_path / "c.png", signer=signer)
    (of_it,) = credentials(third).manifest["ingredients"]
    assert of_it["active_manifest"] == before["active_manifest"]


@pytest.mark.parametrize(
    "made",
    [
        lambda *_: NOISE,
        lambda *_: NOISE.convert("L"),
        lambda path, _: changed_since(path),
        lambda path, _: gone_since(path),
        lambda path, signer: with_broken_credentials(path, signer),
    ],
    ids=["memory", "grey", "changed", "gone", "broken"],
)
def test_where_there_is_no_such_file_the_pixels_count(
    made: Callable[[Path, C2paSigner], Any], tmp_path: Path, signer: C2paSigner
) -> None:
    before = made(tmp_path / "before.jpg", signer)
    said = credentials(result(before).save(tmp_path / "a.png", signer=signer))
    (ingredient,) = said.manifest["ingredients"]
    assert ingredient["format"] == "image/png"
    assert (said.state, said.source) == ("Valid", EDITED)


def saved_as(path: Path) -> LazyLoadingImage:
    NOISE.save(path)
    return LazyLoadingImage(filepath=path)


def changed_since(path: Path) -> LazyLoadingImage:
    """Return a picture that was read before another was saved over its file."""
    image = saved_as(path)
    image.as_pillow()
    Image.new("RGB", (32, 32)).save(path)
    return image


def with_broken_credentials(path: Path, signer: C2paSigner) -> LazyLoadingImage:
    """Return a picture whose credentials cannot be read."""
    result().save(path, signer=signer)
    data = path.read_bytes()
    path.write_bytes(data.replace(b"c2pa.claim.v2", b"c2pa.cl\0im.v2"))
    return LazyLoadingImage(filepath=path)


def gone_since(path: Path) -> LazyLoadingImage:
    image = saved_as(path)
    image.as_pillow()
    path.unlink()
    return image


def new_rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


@pytest.mark.parametrize(
    ("make", "form"),
    [
        (new_key, PrivateFormat.TraditionalOpenSSL),
        (lambda: ec.generate_private_key(ec.SECP384R1()), PrivateFormat.PKCS8),
        (lambda: ec.generate_private_key(ec.SECP521R1()), PrivateFormat.PKCS8),
        (ed25519.Ed25519PrivateKey.generate, PrivateFormat.PKCS8),
        (
            lambda: rsa.generate_private_key(65537, 2048),
            PrivateFormat.TraditionalOpenSSL,
        ),
    ],
    ids=["P-256", "P-384", "P-521", "Ed25519", "RSA"],
)
def test_keys_of_all_kinds_sign(make: Any, form: PrivateFormat, tmp_path: Path) -> None:
    own = certificate("own", certificate("above"), key=make())
    (tmp_path / "own.pem").write_bytes(own.pem)
    (tmp_path / "own.key").write_bytes(own.key_pem(form=form))
    signer = C2paSigner(str(tmp_path / "own.pem"), str(tmp_path / "own.key"))
    assert credentials(result().save(tmp_path / "a.jpg", signer=signer)).state == (
        "Valid"
    )
    assert len(repr(signer)) < 30, "which does not show the key"


ABOVE = certificate("above")
UNUSABLE: dict[str, Certificate] = {
    "self-signed": ABOVE,
    "not valid at time": certificate("a", ABOVE, ends=timedelta(days=-1)),
    "certificate is invalid": certificate(
        "a", ABOVE, purpose=ExtendedKeyUsageOID.SERVER_AUTH
    ),
}


@pytest.mark.parametrize("why", UNUSABLE)
def test_certificates_that_may_not_sign_are_refused_at_once(
    why: str, tmp_path: Path
) -> None:
    (tmp_path / "a.pem").write_bytes(UNUSABLE[why].pem)
    (tmp_path / "a.key").write_bytes(UNUSABLE[why].key_pem())
    with pytest.raises(BadOptionError) as told:
        C2paSigner(tmp_path / "a.pem", tmp_path / "a.key")
    assert "cannot sign content credentials (" in str(told.value)
    assert why in str(told.value)


def test_what_is_no_certificate_or_no_key_is_refused(
    folder: Path, tmp_path: Path
) -> None:
    one, key = folder / "one.pem", folder / "one.key"
    plain, odd, locked, other = (tmp_path / name for name in "abcd")
    plain.write_text("a certificate")
    odd.write_bytes(b"-----BEGIN PRIVATE KEY-----\nx")
    locked.write_bytes(ABOVE.key_pem(password=b"secret"))
    curve = ec.generate_private_key(ec.SECP256K1())
    other.write_bytes(Certificate(ABOVE.certificate, curve, None).key_pem())
    os.mkfifo(tmp_path / "pipe")
    for certified, by, words in (
        (one, folder / "other.key", "cannot sign content credentials ("),
        (tmp_path / "none", key, "cannot be read (No such file or directory)"),
        ("a\0b", key, "cannot be read (embedded null byte)"),
        (tmp_path, key, "is a folder, not the file of a certificate."),
        (tmp_path / "pipe", key, "is a pipe, not the file of a certificate."),
        (one, tmp_path / "pipe", "is a pipe, not the file of a private key."),
        (plain, key, "holds no certificate in PEM"),
        (one, one, "holds no private key in PEM"),
        (one, odd, "holds no private key in PEM"),
        (one, locked, "has a password; give one without."),
        (one, other, "is of a kind that signs no content credentials"),
        (7, key, "A certificate is given by its path, not 7."),
    ):
        with pytest.raises(BadOptionError) as told:
            C2paSigner(certified, by)  # type: ignore[arg-type]
        assert words in str(told.value)


def test_what_cannot_be_signed_is_said(signer: C2paSigner) -> None:
    seal = Provenance(signer=signer).seal(None)
    assert seal is not None
    with pytest.raises(CannotSaveError, match="The picture could not be signed"):
        seal(b"no picture", "PNG")
    with pytest.raises(BadOptionError, match="signed by a C2paSigner, not str"):
        result().save("a.png", signer="me")  # type: ignore[arg-type]


def test_what_is_missing_is_said_before_anything_is_drawn(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    certified, key = (str(folder / name) for name in ("one.pem", "one.key"))
    one = ("--c2pa-cert", certified, "--c2pa-key", key)

    def refused(*words: str) -> str:
        ran = CliRunner().invoke(aimg, ["imagine", "a fox", *words])
        assert (ran.exit_code, ran.stdout) == (2, "")
        assert ran.stderr.count("\n") == 1 and not [*tmp_path.iterdir()]
        return ran.stderr

    assert "give --c2pa-cert and --c2pa-key, or set IMAGINAIRY_C2PA" in refused(
        "--c2pa"
    )
    assert "give --c2pa-cert and --c2pa-key" in refused("--c2pa", *one[:2])
    assert "--c2pa-cert and --c2pa-key need --c2pa" in refused(*one[2:])
    monkeypatch.setenv("IMAGINAIRY_C2PA_CERT", certified)
    monkeypatch.setenv("IMAGINAIRY_C2PA_KEY", str(folder / "other.key"))
    assert "one.pem' and '" in refused("--c2pa"), "the environment says them too"
    monkeypatch.setitem(sys.modules, "c2pa", None)  # as if it were not installed
    assert refused("--c2pa", *one) == (
        "Error: Content credentials need the package c2pa-python, which is not "
        "installed; install it with: pip install c2pa-python\n"
    )


def openssl() -> str:
    """Return the version of OpenSSL that there is."""
    if not shutil.which("openssl"):
        return ""
    return subprocess.run(["openssl", "version"], capture_output=True, text=True).stdout


@pytest.mark.skipif(openssl() < "OpenSSL 3", reason="takes OpenSSL 3")
def test_the_docs_tell_how_to_make_a_certificate(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "security.md").read_text()
    (block,) = re.findall(r"^```text\n(openssl .*?)^imagine ", page, re.M | re.S)
    subprocess.run(["sh", "-euc", block], cwd=tmp_path, check=True, capture_output=True)
    signer = C2paSigner(tmp_path / "chain.pem", tmp_path / "signing.key")
    path = result().save(tmp_path / "a.jpg", signer=signer)
    said = credentials(path, trusted=(tmp_path / "authority.pem").read_bytes())
    assert (said.state, said.signed_by) == ("Trusted", "My pictures")
