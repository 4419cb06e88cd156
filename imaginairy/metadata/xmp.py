"""Texts in XMP, which has room for those that are too long for the EXIF tags of a jpg.

A segment of a jpg holds 64 KiB. A longer packet goes on in segments of its own, which
the first names by their MD5 (XMP specification, part 3, 1.1.3.1).
"""

import hashlib
import re
import struct
from collections.abc import Iterable, Iterator
from itertools import chain
from xml.etree import ElementTree
from xml.sax.saxutils import escape

COMMENT_IS_IN_XMP = (
    "What made this picture is too long for EXIF; it stands as UserComment in XMP."
)
"""What the EXIF comment says then."""
STANDARD = b"http://ns.adobe.com/xap/1.0/\0"
EXTENSION = b"http://ns.adobe.com/xmp/extension/\0"
SEGMENT_BYTES = 65_000
"""What goes into one segment besides its name and numbers; 65,533 bytes fit in all."""
MOST_BYTES = 8_000_000
"""What is read of a packet; as elements it takes many times as much."""
RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
EXIF = "http://ns.adobe.com/exif/1.0/"
NOTE = "http://ns.adobe.com/xmp/note/"
EXTENDED = f"{{{NOTE}}}HasExtendedXMP"
COMMENT = f"{{{EXIF}}}UserComment"
PACKET = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
    '<x:xmpmeta xmlns:x="adobe:ns:meta/">{}</x:xmpmeta><?xpacket end="w"?>'
)
DESCRIPTION = (
    f'<rdf:RDF xmlns:rdf="{RDF}"><rdf:Description rdf:about="" xmlns:exif="{EXIF}" '
    f'xmlns:xmpNote="{NOTE}" {{}}>{{}}</rdf:Description></rdf:RDF>'
)
AS_COMMENT = (
    "<exif:UserComment><rdf:Alt><rdf:li xml:lang='x-default'>{}</rdf:li></rdf:Alt>"
    "</exif:UserComment>"
)
NOT_IN_XML = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def jpeg_segments(comment: str) -> bytes:
    """Return the segments of a jpg that hold a comment of any length in XMP.

    Characters that XML cannot hold become U+FFFD; texts in JSON write them otherwise.
    """
    text = AS_COMMENT.format(escape(NOT_IN_XML.sub("\ufffd", comment)))
    whole = DESCRIPTION.format("", text).encode()
    if len(whole) + len(PACKET) < SEGMENT_BYTES:
        return _segment(STANDARD, PACKET.format(whole.decode()).encode())
    name = hashlib.md5(whole, usedforsecurity=False).hexdigest().upper()
    first = DESCRIPTION.format(f'xmpNote:HasExtendedXMP="{name}"', "")
    segments = [_segment(STANDARD, PACKET.format(first).encode())]
    for offset in range(0, len(whole), SEGMENT_BYTES):
        numbers = name.encode() + struct.pack(">II", len(whole), offset)
        part = whole[offset : offset + SEGMENT_BYTES]
        segments.append(_segment(EXTENSION, numbers + part))
    return b"".join(segments)


def read_texts(packet: bytes, segments: Iterable[bytes] = ()) -> list[str]:
    """Return all texts of a packet, those of an EXIF comment first.

    Args:
        packet: the first, or only, one.
        segments: what all APP1 segments of a jpg hold; the rest of a long packet is
            put together from them.
    """
    root = _parsed(packet)
    if root is None:
        return []
    roots = [root]
    name = next(_values_of(root, EXTENDED), None)
    if name:
        more = _parsed(_joined(name.encode(), segments))
        roots += [] if more is None else [more]
    elements = [element for each in roots for element in each.iter()]
    comments = (part for e in elements if e.tag == COMMENT for part in e.iter())
    texts = [part.text for part in chain(comments, elements)]
    texts += [value for e in elements for value in e.attrib.values()]
    return list(dict.fromkeys(text for text in texts if text and text.strip()))


def _segment(name: bytes, data: bytes) -> bytes:
    return b"\xff\xe1" + struct.pack(">H", 2 + len(name) + len(data)) + name + data


def _parsed(packet: bytes) -> ElementTree.Element | None:
    """Read XML; None where it is broken, too long, or could grow when it is read."""
    if len(packet) > MOST_BYTES or b"<!DOCTYPE" in packet.replace(b"\0", b""):
        return None
    try:
        return ElementTree.fromstring(packet.rstrip(b"\0 "))
    except (ElementTree.ParseError, ValueError, LookupError):
        return None


def _values_of(root: ElementTree.Element, name: str) -> Iterator[str]:
    """Yield what a property says, as an attribute or as an element."""
    for element in root.iter():
        if name in element.attrib:
            yield element.attrib[name]
        if element.tag == name and element.text:
            yield element.text


def _joined(name: bytes, segments: Iterable[bytes]) -> bytes:
    """Put a long packet together; empty where a part is missing or another's."""
    parts: dict[int, bytes] = {}
    for segment in segments:
        rest = segment.removeprefix(EXTENSION)
        if segment.startswith(EXTENSION + name) and len(rest) >= 40:
            _, offset = struct.unpack(">II", rest[32:40])
            parts[offset] = rest[40:]
    whole = b"".join(parts[offset] for offset in sorted(parts))
    is_whole = hashlib.md5(whole, usedforsecurity=False).hexdigest().upper()
    return whole if is_whole.encode() == name.upper() else b""
