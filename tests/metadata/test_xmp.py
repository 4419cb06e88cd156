"""Texts in XMP packets: short ones, long ones in several segments, and broken ones."""

import re
import struct

import pytest

from imaginairy.metadata import xmp

RDF = f'<r:RDF xmlns:r="{xmp.RDF}" xmlns:e="{xmp.EXIF}"><r:Description>'
END = "</r:Description></r:RDF>"


def segments(comment: str) -> list[bytes]:
    """Return what the segments of a jpg hold, one after the other."""
    data, found = xmp.jpeg_segments(comment), []
    while data:
        assert data[:2] == b"\xff\xe1"
        (length,) = struct.unpack(">H", data[2:4])
        found.append(data[4 : 2 + length])
        data = data[2 + length :]
    return found


def packet(segment: bytes) -> bytes:
    assert segment.startswith(xmp.STANDARD)
    return segment.removeprefix(xmp.STANDARD)


@pytest.mark.parametrize("comment", ["a fox", "a < b & c > d", "狐 🦊 é", " a\n\tb "])
def test_a_short_text_is_in_one_packet(comment: str) -> None:
    (segment,) = segments(comment)
    assert xmp.read_texts(packet(segment))[0] == comment
    assert b"xpacket begin" in segment and segment.endswith(b'<?xpacket end="w"?>')


def test_signs_that_xml_cannot_hold_are_replaced() -> None:
    (segment,) = segments("a\x01\x0bb\ufffec\ud800")
    assert xmp.read_texts(packet(segment)) == [
        "a\ufffd\ufffdb\ufffdc\ufffd",
        "x-default",
    ]


def test_a_segment_is_filled_before_a_second_is_begun() -> None:
    (segment,) = segments("")
    room = xmp.SEGMENT_BYTES - len(packet(segment))
    counts = {len(segments("x" * (room + more))) for more in (-100, -90)}
    assert counts == {1}
    assert {len(segments("x" * (room + more))) for more in (100, 60_000)} == {2, 3}


def test_a_long_text_is_put_together_whatever_the_order() -> None:
    comment = "".join(f"{number} " for number in range(40_000))
    first, *others = segments(comment)
    assert len(others) > 2 and max(map(len, others)) < 65_534
    assert xmp.read_texts(packet(first), others)[0] == comment
    assert xmp.read_texts(packet(first), others[::-1])[0] == comment
    strangers = [b"Exif\0\0ab", xmp.EXTENSION + b"0" * 32 + bytes(8) + b"another"]
    assert xmp.read_texts(packet(first), [*others, *strangers])[0] == comment
    name = re.search(rb'HasExtendedXMP="(\w+)"', first)
    assert name and len(name[1]) == 32 and name[1].isupper()
    attribute, element = name[0], b"xmpNote:HasExtendedXMP"
    named = b"<%b>%b</%b></rdf:Description>" % (element, name[1], element)
    other = packet(first).replace(b" xmpNote:" + attribute, b"")
    other = other.replace(b"</rdf:Description>", named)
    assert xmp.read_texts(other, others)[0] == comment
    small = packet(first).replace(name[1], name[1].lower())
    lower = [each.replace(name[1], name[1].lower()) for each in others]
    assert xmp.read_texts(small, lower)[0] == comment
    for broken in (others[1:], others[:-1], [each[:-1] for each in others], []):
        assert comment not in xmp.read_texts(packet(first), broken)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (f"{RDF}<e:a>other</e:a><e:UserComment>it</e:UserComment>{END}",
         ["it", "other"]),
        (f"{RDF}<e:a> </e:a><e:b>b</e:b><e:c>b</e:c>{END}", ["b"]),
        (f'{RDF}<e:a e:b="attribute">text</e:a>{END}', ["text", "attribute"]),
        (f"{RDF}<e:a>padded</e:a>{END}  \0\0 ", ["padded"]),
        ("<!DOCTYPE a><a>b</a>", []),
        ('<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', []),
        ("<a>", []),
        ("", []),
        ('<?xml version="1.0" encoding="nonsense"?><a>b</a>', []),
    ],
)  # fmt: skip
def test_texts_of_a_packet(text: str, found: list[str]) -> None:
    assert xmp.read_texts(text.encode()) == found
