"""Names of the CI codes (security sheet section 2). Loaded when a name is asked for."""

_NAMES = """
50 application reset or select
51 M-Bus command
52 select device
53 application reset or select
54 request selected application
55 request selected application
56 request selected application
57 application reset or select
5A M-Bus command
5B M-Bus command
5C synchronise action
5F TLS handshake command
60 DLMS command
61 DLMS command
62 clock synchronisation
64 SML command
65 SML command
66 selected application
67 selected application
68 selected application
69 M-Bus format frame
6A M-Bus format frame
6B M-Bus format frame
6C clock synchronisation
6D clock synchronisation
6E application error
6F application error
70 application error
71 alarm
72 M-Bus data
73 M-Bus compact frame
74 alarm
75 alarm
78 M-Bus data
79 M-Bus compact frame
7A M-Bus data
7B M-Bus compact frame
7C DLMS data
7D DLMS data
7E SML data
7F SML data
80 transport layer only
81 network layer
82 network management
83 network management
84 transport layer only, compact frame expected
85 transport layer only, format frame expected
86 extended link layer V
87 network management
88 network management
89 network management
8A transport layer only
8B transport layer only
8C extended link layer I
8D extended link layer II
8E extended link layer III
8F extended link layer IV
90 authentication and fragmentation layer
92 network management
93 transport layer only
9E TLS handshake response
9F TLS handshake response
B8 set baud rate 300
BB set baud rate 2400
BD set baud rate 9600
BE set baud rate 19200
BF set baud rate 38400
C0 image transfer command
C1 image transfer response
C2 image transfer response
C3 security information transfer command
C4 security information transfer response
C5 security information transfer response
C6 security information transfer command
C7 image transfer command
CF M-Bus adaptation layer
"""


def name(ci):
    """What a CI code is called; "reserved" where the standard gives it no meaning."""
    at = _NAMES.find("\n{:02X} ".format(ci))
    if at >= 0:
        return _NAMES[at + 4 : _NAMES.find("\n", at + 1)]
    if ci < 0x20:
        return "DLMS"
    return "manufacturer specific" if 0xA0 <= ci <= 0xB7 else "reserved"
