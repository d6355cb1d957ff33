"""Keys out of the files in which makers, suppliers and other programs hand them over.

    list    `id key` per line: our own key file (key_store.py)
    csv     columns in any order, named by a header or known by their look
    xml     any XML whose elements hold an id and a key
    kem     Kamstrup's KEM and KEM2: such XML, encrypted with a password, perhaps in a zip archive
    meters  meter files of wmbusmeters: id=..., key=...

What is public of them. KEM: three programs of others agree (wmbusmeters/wmbusmeters utils/kem-import.py, kem-extract.sh and
XMLExtract.java; App::KamstrupKemSplit of CPAN agrees in all but the initialisation vector, and mends the first block, which
fits): base64 in `CipherValue`, AES-128-CBC, key = password in UTF-8, filled up with zero bytes to 16, initialisation vector
= key. That a longer password is cut has two sources, none of them Kamstrup. Inside: `MetersInOrder/Meter` with
`SerialNo`, `MeterNo`, `VendorId`, `EncKeys/DEK`, of which Kamstrup has published an example (schema 2.0); or, in KEM2,
`Devices/Device` with `SerialNumber`, `ManufacturerId` and `Key` elements of `Name` and `Value`, known from kem-extract.sh and
kem-import.py only. A KEM2 file is signed (Kamstrup 5512-3205); the signature is not checked here.

No maker specifies its CSV in public. The column names are those of the XML above, of wmbusmeters, and the plain words in
English and German; two platforms for readings publish what they take (`AAA;12345678;key`, bare or with a header, one of them
with dashes between the bytes). Serial numbers: Kamstrup's `12345678/WW/yy` (technical description 5512-2029, 3.4), the
address of DIN 43863-5 (OMS Vol.2 3.2), `AAA-12345678`.
"""

import base64
import binascii
import csv
import io
import re
import zipfile
from collections import namedtuple
from xml.etree import ElementTree

from ..errors import ConfigError, MisuseError
from ..link.address import Address
from ..link.address_text import manufacturer_number
from ..security import aes
from ..security.keys import Key
from . import key_store

LIST, CSV, XML, KEM, METERS = "list", "csv", "xml", "kem", "meters"
MOST_BYTES = 1 << 25

# rows: [key_store.Row]. refused: [(where, why)]. notes: [text]: what was taken, but should be looked at.
Found = namedtuple("Found", "form rows refused notes")

# What a column or an element is called, letters and digits only, in lower case; the first that is there counts.
_WORDS = {
    "id": "serialno serialnumber serial serialnr sn meterid meterno meternumber metersn deviceid devicenumber "
    "deviceserial identificationnumber identification identnumber ident idnumber id secondaryaddress wmbusid mbusid "
    "radioid radioaddress fabricationnumber customerdevicenumber meter device seriennummer seriennr "
    "zählernummer zaehlernummer zählernr zaehlernr gerätenummer geraetenummer geräteid geraeteid fabriknummer "
    "funknummer",
    "key": "dek dataencryptionkey aeskey aes128key aes128 aes masterkey encryptionkey decryptionkey meterkey wmbuskey "
    "omskey radiokey communicationkey keyvalue key enckey aesschlüssel aesschluessel schlüssel schluessel "
    "funkschlüssel funkschluessel",
    "manufacturer": "vendorid manufacturerid manufacturercode manufacturer vendor maker mfield hersteller "
    "herstellerkennung herstellercode",
    "key_id": "keyid",
    "version": "keyversion",
}
_NAMES = {what: words.split() for what, words in _WORDS.items()}
_DELIMITERS = ";\t,|"
_KEY = re.compile(r"(?:0[xX])?(?:[0-9A-Fa-f]{2}[ :_.-]?){15}[0-9A-Fa-f]{2}")
_DIN = re.compile(r"[0-9A-Fa-f]([A-Z]{3})([0-9A-Fa-f]{2})([0-9]{8})")
_MAKER_AND_ID = re.compile(r"([A-Z]{3})[-_]?([0-9]{8})")
_KAMSTRUP = re.compile(r"([0-9]{8})/[0-9A-Za-z]{1,4}/[0-9]{2,4}")


def read(data, password=None):
    """The keys of a file, as Found.

    data: its bytes. password: function that returns the password of an encrypted file; called only for one. ConfigError if
    the file as a whole cannot be read; what is wrong with one meter stands in `refused`.
    """
    if len(data) > MOST_BYTES:
        raise ConfigError("the file is larger than {} MiB".format(MOST_BYTES >> 20))
    if data[:4] == b"PK\3\4":
        data = _unzipped(data)
    if data.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"<" or data[:4] in (b"\xff\xfe<\0", b"\xfe\xff\0<"):
        return _xml(data, password)
    text = _text(data)
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    if not lines:
        raise ConfigError("there is no key in the file")
    if any(re.match(r"\s*key\s*=", line) for line in lines):
        return _meters(lines)
    for delimiter in _DELIMITERS:
        if 2 * sum(delimiter in line.partition("#")[0] for line in lines) >= len(lines):
            return _csv(text, delimiter)
    return _list(text)


# --- text ---


def _text(data):
    for encoding in ("utf-16",) if data[:2] in (b"\xff\xfe", b"\xfe\xff") else ("utf-8-sig", "cp1252"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise ConfigError("the file is neither text nor a zip archive")


def _list(text):
    found = Found(LIST, [], [], [])
    for number, line in enumerate(text.splitlines(), 1):
        words, _, comment = line.partition("#")
        if words.strip():
            _add(found, "line {}".format(number), lambda w=words, c=comment: key_store.row_of(w, c.strip()))
    return found


def _meters(lines):
    """Files of wmbusmeters.d, one or several behind each other."""
    tables: list = []
    for line in lines:
        name, _, value = line.partition("=")
        name, value = name.strip().lower(), value.strip()
        if not tables or name in tables[-1]:
            tables.append({})
        tables[-1][name] = value
    found = Found(METERS, [], [], [])
    for number, table in enumerate(tables, 1):
        if table.get("key"):
            _take(found, "meter {}".format(number), {"id": table.get("id", ""), "key": table["key"]})
    return found


def _csv(text, delimiter):
    found = Found(CSV, [], [], [])
    columns = None
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
    try:
        for cells in reader:
            where = "line {}".format(reader.line_num)
            cells = [_bare(cell) for cell in cells]
            if not any(cells) or cells[0].startswith("#"):
                continue
            if columns is None:
                if any(_KEY.fullmatch(cell) for cell in cells):
                    columns = {}
                else:
                    columns = _columns(cells)  # or a title above them
                    continue
            fields = {what: cells[at] for what, at in columns.items() if at < len(cells)}
            _take(found, where, fields if columns else _by_look(cells))
    except csv.Error as error:
        raise ConfigError("line {}: no CSV: {}".format(reader.line_num, error)) from None
    if columns is None:
        raise ConfigError(
            "no line names the columns, and none holds a key",
            hint="name the columns as in: serial;manufacturer;key",
        )
    return found


def _bare(cell):
    """Without the quotes, and the `="..."` that keeps a spreadsheet from calculating."""
    cell = cell.strip()
    return cell[2:-1].strip() if cell[:2] == '="' and cell[-1:] == '"' else cell.strip("'")


def _columns(cells):
    """{what: column} of a header; None if this line is none."""
    called = [_word(cell) for cell in cells]
    columns = {}
    for what, names in _NAMES.items():
        at = [called.index(name) for name in names if name in called]
        if at:
            columns[what] = at[0]
    if "key" not in columns:  # whatever else says so: "AES-128 Key (hex)"
        at = [place for place, word in enumerate(called) if re.search("key|schl|aes", word)]
        at = [place for place in at if place not in columns.values()]
        if len(at) == 1:
            columns["key"] = at[0]
    return columns if "id" in columns and "key" in columns else None


def _by_look(cells):
    """The fields of a line without a header."""
    fields: dict = {}
    for cell in cells:
        if _KEY.fullmatch(cell):
            fields.setdefault("key", cell)
        elif re.fullmatch("[A-Z]{3}", cell):
            fields.setdefault("manufacturer", cell)
        elif _is_id(cell):
            fields.setdefault("id", cell)
    return fields


def _word(text):
    return "".join(char for char in text.lower() if char.isalnum())


# --- XML ---


def _unzipped(data):
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = [one for one in archive.infolist() if not one.is_dir()]
            good = [one for one in names if one.filename.lower().endswith((".kem", ".kem2", ".xml"))] or names
            if len(good) != 1:
                raise ConfigError("the archive holds {} files, not one".format(len(good)), hint="unpack it")
            if good[0].file_size > MOST_BYTES:
                raise ConfigError("the file in the archive is larger than {} MiB".format(MOST_BYTES >> 20))
            with archive.open(good[0]) as file:
                return file.read(MOST_BYTES)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError, ValueError) as error:
        raise ConfigError("the zip archive cannot be read: {}".format(type(error).__name__)) from None
    except binascii.Error:
        raise ConfigError("the zip archive is damaged") from None


def _parsed(data, complaint, hint=None):
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data:  # entities that grow, or read files
        raise ConfigError("XML with a document type is not read")
    try:
        return ElementTree.fromstring(data)
    except (ElementTree.ParseError, ValueError, LookupError):
        raise ConfigError(complaint, hint=hint) from None


def _xml(data, password):
    root = _parsed(data, "the file is no well-formed XML")
    form = XML
    sealed = [element for element in root.iter() if _tag(element) == "ciphervalue"]
    if sealed:
        form = KEM
        if password is None:
            raise ConfigError("the file is encrypted", hint="its password is needed")
        root = _opened(sealed[0].text or "", password())
    found = Found(form, [], [], [])
    try:
        _meters_below(root, found)
    except RecursionError:
        raise ConfigError("the XML is nested too deeply") from None
    if not found.rows and not found.refused:
        raise ConfigError("no element of the XML holds an id and a key")
    return found


def _opened(text, password):
    """The XML inside a KEM file."""
    try:
        sealed = base64.b64decode(text, validate=False)
    except (binascii.Error, ValueError):
        raise ConfigError("the CipherValue is no base64") from None
    if not sealed or len(sealed) % 16:
        raise ConfigError("the CipherValue is no whole number of AES blocks")
    key = password.encode()[:16].ljust(16, b"\0")
    plain = aes.cbc_decrypt(Key(key), key, sealed)
    end = plain.rfind(b">") + 1  # what fills the last block is not the same everywhere
    return _parsed(
        plain[:end],
        "the password does not open the file",
        "Kamstrup's customer number, or what its sender chose",
    )


def _tag(element):
    return _word(element.tag.rpartition("}")[2]) if isinstance(element.tag, str) else ""


def _meters_below(element, found):
    """Take the innermost elements that hold an id and a key. Returns [(what it is called, text)] of this one, or None if a
    meter was found in it."""
    fields = [(_word(name.rpartition("}")[2]), text) for name, text in element.attrib.items()]
    if element.text and element.text.strip():
        fields.append((_tag(element), element.text.strip()))
    inside = False
    for child in element:
        below = _meters_below(child, found)
        inside = inside or below is None
        fields += below or ()
    if inside:
        return None
    called = dict(reversed(fields))
    if _tag(element) == "key" and "value" in called and ("name" in called or "type" in called):
        return [(_word(called.get("name") or called["type"]), called["value"])]
    row = {}
    for what, names in _NAMES.items():
        at = [called[name] for name in names if name in called]
        if at:
            row[what] = at[0]
    if "id" not in row or "key" not in row:
        return fields
    _take(found, "meter {}".format(len(found.rows) + len(found.refused) + 1), row)
    return None


# --- one meter ---


def _take(found, where, fields):
    """Add the row that these texts make, or say why not."""

    def made():
        for what in ("id", "key"):
            if not fields.get(what):
                raise MisuseError("there is no {}".format(what))
        pattern, note = _pattern(fields["id"], fields.get("manufacturer"))
        row = key_store.Row(
            pattern, _key(fields["key"]), _number(fields, "key_id"), _number(fields, "version")
        )
        if note:
            found.notes.append("{}: {}".format(where, note))
        return row

    _add(found, where, made)


def _add(found, where, made):
    try:
        found.rows.append(made())
    except MisuseError as error:
        found.refused.append((where, error.message))


def _key(text):
    text = text.strip()
    if _KEY.fullmatch(text):
        text = re.sub("^0[xX]|[^0-9A-Fa-f]", "", text)
    elif len(text) == 16:
        raise MisuseError(
            "16 characters are no key in hex: write each as its two hex digits, if they are meant as text"
        )
    return Key.from_hex(text)


def _number(fields, what):
    text = fields.get(what)
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) <= 3):
        raise MisuseError("the {} is no number".format("KeyID" if what == "key_id" else "key version"))
    return int(text)


def _is_id(text):
    try:
        _pattern(text, None)
    except MisuseError:
        return False
    return True


def _pattern(text, manufacturer):
    """(Address pattern, note or None). MisuseError that does not quote."""
    text = "".join(text.split())
    number = note = version = None
    if match := _KAMSTRUP.fullmatch(text):
        text = match[1]
    elif match := _DIN.fullmatch(text):
        number, version, text = manufacturer_number(match[1]), int(match[2], 16), match[3]
    elif match := _MAKER_AND_ID.fullmatch(text):
        number, text = manufacturer_number(match[1]), match[2]
    elif text.isascii() and text.isdecimal() and len(text) < 8:
        note = "{} was filled up with zeros to 8 digits".format(text)
        text = text.rjust(8, "0")
    if not re.match(r"[0-9A-Fa-f]{8}(\.|$)", text):
        raise MisuseError("the id is none: 8 digits are needed, or 12345678.M=KAM.V=1b.T=16")
    found = key_store.address(text)
    if (
        number is None
        and found.manufacturer is None
        and re.fullmatch("[A-Z]{3}", (manufacturer or "").strip())
    ):
        number = manufacturer_number(manufacturer.strip())
    if number is not None:
        found = Address(number, found.ident, version, None)
    return found, note
