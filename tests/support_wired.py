"""Wired frames, typed from their sources: OMS Vol.2 Annex N (Release E 2.0.2) and libmbus' error-frames."""

# N.2.2: gas meter, plain. N.6.4: heat cost allocator, one encrypted block, then clear records (KEY_0 of support_telegram).
N_2_2 = "6820206808FD7278563412931533032A0000000C1427048502046D32371F1502FD1700008916"
N_6_4 = "682C2C6808FD7288776655934455080004100500DFE2A782146D1513581CD2F83F39040CFD10785634120C78443322112616"
# N.2.5: profile B. N.4.3: request and first of three fragments.
N_2_5 = (
    "683131680803900F002C25B30A0000A08518CCB022C5FD7278563412931533037500100710D371C801D409B0D928D5659759C2EC"
    "935B16"
)
N_4_3_REQUEST = "107BFD7816"
N_4_3 = "682A2A68080390050170405D007278563412934410070500500528FCB763E51B4A6D4FDDF2EEA906F61ED0DA7AB21616"
# libmbus test/error-frames: application_busy.hex, error.hex (no code)
BUSY = "68040468080170088116"
ERROR = "680303680801707916"
ACK = "E5"

ALL = (N_2_2, N_6_4, N_2_5, N_4_3_REQUEST, N_4_3, BUSY, ERROR, ACK)


def long_frame(body, c_field=0x08, address=1):
    """68 L L 68 C A body CS 16."""
    inside = bytes((c_field, address)) + body
    return bytes((0x68, len(inside), len(inside), 0x68)) + inside + bytes((sum(inside) & 0xFF, 0x16))
