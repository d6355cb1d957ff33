"""Data fields, the low four bits of a DIF (EN 13757-3:2018 Table 4; sheet en13757-3-application 1.2)."""

# Data field -> number of data bytes; -1: an LVAR byte leads the data; -2: the whole DIF is a special function.
SIZES = (0, 1, 2, 3, 4, 4, 6, 8, 0, 1, 2, 3, 4, -1, 6, -2)
