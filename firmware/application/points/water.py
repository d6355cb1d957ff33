"""Data points of water meters, cold and hot.

Packed; how to read it: __init__.py of this package.
Generated from the facts of OMS Vol.2 Annex A and B by tools/generate_points.py: do not edit.
"""

COLUMNS = """
cold_water
hot_water
"""

TAGS = """
DC1! I - m C,C CL01
DC2! I - m C,C CL02
DP1! IB - o C,C DP01 0.9.3*255
DP1!B IB 0,0,3 o E,E DP01
DP2! IB - o O,O DP02 0.8.6*255
DT1!B 46 0,0,3 o E,E DT01
DT2!D 2 0,0,1 o C,C DT02 0.1.10*255
DT2!N 2 0,0,1 o C,C DT05
DT5!B 3 0,0,3 o E,E DT01
VF1! IB - m O,O VF01 2.0.0*255
VM1! IB - m M,M VM01,02 1.0.0*255
VM1!B IB 0,0,3 m E,E VM01,02 1.0.0*255
VM1!D IB 0,0,1 m C,C VM01,02 1.2.0*255
VM1!P IB 0,0,8-199 m O,O VM01,02
VM4! IB - m O,O VM07,08
VM5! IB - m O,O VM09,10
"""

VIBS = """
CL01 FD1F/FFFF
CL02 FD1A/FFFF
DP01 74/FC|s,min,h,d
DP02 70/FC|s,min,h,d
DT01 6D/FF
DT02 6C/FF
DT05 EC7E/FFFF
VF01 38/F8|m3/h|-6
VM01 10/F8|m3|-6
VM02 907D/F8FF|m3|-3
VM07 903B/F8FF|m3|-6
VM08 90FD3B/F8FFFF|m3|-3
VM09 903C/F8FF|m3|-6
VM10 90FD3C/F8FFFF|m3|-3
"""
