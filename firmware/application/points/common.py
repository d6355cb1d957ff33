"""Data points that every meter may have, and which device types there are.

Packed; how to read it: __init__.py of this package.
Generated from the facts of OMS Vol.2 Annex A and B by tools/generate_points.py: do not edit.
"""

# `device type, module, first and last column there, column here, value group A of its OBIS codes`.
TYPES = """
02 electricity 0 0 0 1
03 gas 0 0 0 7
04 heat 2 2 0 6
06 water 1 1 0 9
07 water 0 0 0 8
08 allocator 0 0 0 4
0A heat 0 0 0 5
0B heat 0 0 0 5
0C heat 2 2 0 6
0D heat 1 1 0 6
15 water 1 1 0 9
16 water 0 0 0 8
18 sensor 0 0 2
1A sensor 1 1 2
1D sensor 2 2 2
1E sensor 3 3 2
1F sensor 0 17 2
20 actuator 0 0 1
21 actuator 0 0 1
"""

# Which column of the table of sensors a sub device type has (OMS Vol.2 4.3.2.3 Table 9).
SENSORS = """
21 pressure_device_18
19 smoke_alarm_1A
18 co_alarm_1D
20 heat_alarm_1E
1 humidity
2 moisture
3 temperature
5 light
6 rainfall
7 ph
8 anemometer
9 glass_break
10 door_window_contact
11 locked_door_window
12 water_leakage
13 air_quality
14 co2
15 turbidity
"""

COLUMNS = """
meter
actuator
sensor
"""

TAGS = """
CT1! ID - m C,C,- CT01
DP3! IB - o O,-,- DP03
DP5! IB - o O,O,- DP05
DP6! IB - o O,O,- DP06
DT1! 46 - o C/O1,C/O1,O1 DT01 0.9.1*255+0.9.2*255
DT1!P 46 0,0,8-199 o C,-,- DT01
DT2! 2 - o O1,O1,O1 DT02 0.9.2*255
ID1! C - n O,O,O ID01 0:96.1.0*255
ID2! 7C - n O,O,O ID02
ID3! 1 - n O,O,O ID03
ID4! IBD - o O,O,O ID04 0:96.1.9*255
ID5! IBD - o O,O,O ID05 0:96.1.10*255
ID6! I - o O,O,O ID06
ID7! D - n O,O,O ID01
ID8! D - n O,O,O ID02
ID10! 1 - n O,O,- ID09
MM1! IB - o O,O,O MM01
MM1!I IB 2,0,0 o O,O,O MM01
MM1!E IB 3,0,0 o O,O,O MM01
MM2! I - o C,C,C MM02
MM3! I - o C,C,- MM03
MM4! IBD - o O,O,O MM04
MM6! I - o C,C,C MM17
MM8! IB - o O,O,O MM09,10
YD1! IB - m C,-,- YD01
YD1!T IB 0,1-15,0 m C,-,- YD01
YD2!P IB 0,0,1-199 m C,-,- YD02,03,04
YD3!P IB 0,0,1-199 m C,-,- YD05,06,07
"""

VIBS = """
CT01 FD9F1D/FFFFFF
DP03 FD3C/FFFE|s,min
DP05 24/FC|s,min,h,d
DP06 20/FC|s,min,h,d
DT01 6D/FF
DT02 6C/FF
ID01 78/FF
ID02 79/FF
ID03 7A/FF
ID04 FD11/FFFF
ID05 FD10/FFFF
ID06 FD08/FFFF
ID09 FD09/FFFF
MM01 FD71/FFFF|dBm|0
MM02 FD17/FFFF
MM03 FD971D/FFFFFF
MM04 FD2A/FFFF
MM17 FDFD00/FFFFFF
MM09 FD74/FFFF|d|0
MM10 FDFD02/FFFFFF|month|0
YD01 FD23/FFFF
YD02 FD24/FFFC|s,min,h,d
YD03 FD28/FFFF|month|0
YD04 FD29/FFFF|year|0
YD05 FD20/FFFF
YD06 FD21/FFFF
YD07 FD22/FFFF
"""
