"""Data points of heat cost allocators.

Packed; how to read it: __init__.py of this package.
Generated from the facts of OMS Vol.2 Annex A and B by tools/generate_points.py: do not edit.
"""

COLUMNS = """
hca
"""

TAGS = """
DP1! IB - o C DP01 0.9.3*255
DT2!D 2 0,0,1 o M DT02 0.1.10*255
DT2!N 2 0,0,1 o C DT05
HC1! IB - m M HC01,02 1.0.0*255
HC1!D IB 0,0,1 m M HC01 1.2.0*255
HC1!P IB 0,0,8-199 m O HC01,02
TC1! IB - m O TC01
TC2! IB - m O TC02
"""

VIBS = """
DP01 74/FC|s,min,h,d
DT02 6C/FF
DT05 EC7E/FFFF
HC01 6E/FF|HCA|0
HC02 EEFC11/FFFFFF|HCA|0
TC01 58/FC|°C|-3
TC02 5C/FC|°C|-3
"""
