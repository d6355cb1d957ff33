"""Tables of VIF and VIFE codes (EN 13757-3:2018 Tables 10, 12-16; sheet en13757-3-application 2).

Text, one row per code, read where it stands: a device keeps seven strings and no objects. Row:
`CC:b name|unit|exponent|kind`. CC is the first code in hex, b the number of its low bits that the row covers; they
raise the exponent (value = raw * 10**(exponent + low bits) unit), or choose from the list where the unit is one
("s,min,h,d"). Kinds: see types.value; Q means type C in steps of 2**-12.
"""

# Table 10. 7B and 7D need the extension bit, 7C is plain text, 7F is the manufacturer's.
PRIMARY = """
00:3 energy|Wh|-3
08:3 energy|J|0
10:3 volume|m3|-6
18:3 mass|kg|-3
20:2 on time|s,min,h,d
24:2 operating time|s,min,h,d
28:3 power|W|-3
30:3 power|J/h|0
38:3 volume flow|m3/h|-6
40:3 volume flow|m3/min|-7
48:3 volume flow|m3/s|-9
50:3 mass flow|kg/h|-3
58:2 flow temperature|°C|-3
5C:2 return temperature|°C|-3
60:2 temperature difference|K|-3
64:2 external temperature|°C|-3
68:2 pressure|bar|-3
6C:0 date|||T
6D:0 date and time|||T
6E:0 heat cost allocation|HCA
70:2 averaging duration|s,min,h,d
74:2 actuality duration|s,min,h,d
78:0 fabrication number
79:0 identification
7A:0 bus address|||C
7E:0 any
"""

# Table 14, behind FB. 22-26, 58-67 and 70-73 are retired (the old m-bus documentation has them).
FB = """
00:1 energy|Wh|5
02:1 reactive energy|varh|3
04:1 apparent energy|VAh|3
08:1 energy|J|8
0C:2 energy|cal|5
10:1 volume|m3|2
14:2 reactive power|var|0
18:1 mass|t|2|C
1A:1 relative humidity|%|-1|C
20:0 volume|ft3|0
21:0 volume|ft3|-1
22:1 volume|US gal|-1
24:0 volume flow|US gal/min|-3
25:0 volume flow|US gal/min|0
26:0 volume flow|US gal/h|0
28:1 power|W|5
2A:0 phase angle voltage to voltage|°|-1
2B:0 phase angle voltage to current|°|-1
2C:2 frequency|Hz|-3
30:1 power|J/h|8
34:2 apparent power|VA|0
58:2 flow temperature|°F|-3
5C:2 return temperature|°F|-3
60:2 temperature difference|°F|-3
64:2 external temperature|°F|-3
68:0 resulting rating factor K|||Q
69:0 thermal output rating factor Kq|W||C
6A:0 thermal coupling rating factor Kc|||Q
6B:0 thermal coupling rating factor Kcr|||Q
6C:0 thermal coupling rating factor Kch|||Q
6D:0 low temperature rating factor Kt|||Q
6E:0 display output scaling factor KD|||Q
70:2 cold or warm temperature limit|°F|-3
74:2 cold or warm temperature limit|°C|-3
78:3 cumulated maximum of active power|W|-3
"""

# Table 12, behind FD; kind C after its footnote k (which codes carry it: two implementations agree but for 34-39, 63, 64
# and 67-6B, where the one that has these codes at all decides). Bits: 17, 1A, 1B and 1F (two of three).
FD = """
00:2 credit|currency|-3
04:2 debit|currency|-3
08:0 unique message identification|||C
09:0 device type|||C
0A:0 manufacturer|||C
0B:0 parameter set identification|||C
0C:0 model version|||C
0D:0 hardware version|||C
0E:0 metrology firmware version|||C
0F:0 other software version|||C
10:0 customer location|||C
11:0 customer|||C
12:0 access code user|||C
13:0 access code operator|||C
14:0 access code system operator|||C
15:0 access code developer|||C
16:0 password|||C
17:0 error flags|||D
18:0 error mask|||C
19:0 security key|||C
1A:0 digital output|||D
1B:0 digital input|||D
1C:0 baud rate|Bd||C
1D:0 response delay|bit times||C
1E:0 retry
1F:0 remote control|||D
20:0 first storage number|||C
21:0 last storage number|||C
22:0 storage block size|||C
23:0 tariff and subunit descriptor|||C
24:2 storage interval|s,min,h,d
28:0 storage interval|month
29:0 storage interval|year
2A:0 operator specific data
2B:0 time point second|s||C
2C:2 duration since last readout|s,min,h,d||C
30:0 start of tariff|||T
31:0 duration of tariff|min||C
32:0 duration of tariff|h||C
33:0 duration of tariff|d||C
34:2 period of tariff|s,min,h,d||C
38:0 period of tariff|month||C
39:0 period of tariff|year||C
3A:0 dimensionless
3B:0 wireless M-Bus container|||X
3C:2 nominal transmission period|s,min,h,d||C
40:4 voltage|V|-9
50:4 current|A|-12
60:0 reset counter
61:0 cumulation counter
62:0 control signal
63:0 day of week|||C
64:0 week number|||C
65:0 time point of day change
66:0 parameter activation state|||C
67:0 special supplier information|||C
68:0 duration since last cumulation|h||C
69:0 duration since last cumulation|d||C
6A:0 duration since last cumulation|month||C
6B:0 duration since last cumulation|year||C
6C:0 battery operating time|h
6D:0 battery operating time|d
6E:0 battery operating time|month
6F:0 battery operating time|year
70:0 battery change|||T
71:0 rf level|dBm
72:0 daylight saving rule|||K
73:0 listening window|||L
74:0 remaining battery life|d||C
75:0 meter stops|||C
76:0 manufacturer container|||X
"""

# Table 13, behind FD FD; rows from 10 on as OMS Annex B quotes prEN 13757-3:2023 (the unit of 23 as printed; l/m2 is meant).
FD_FD = """
00:0 selected application|||C
01:0 sub device types|||X
02:0 remaining battery life|month
03:0 remaining battery life|year
10:1 CO2 concentration|ppm|0
12:1 CO concentration|ppm|0
14:1 volatile organic compounds|ppb|0
16:0 volatile organic compounds|ug/m3
17:0 particles|ug/m3
18:0 particles PM1|ug/m3
19:0 particles PM2.5|ug/m3
1A:0 particles PM10|ug/m3
1B:0 particles|1/m3|5
1C:0 particles PM1|1/m3|5
1D:0 particles PM2.5|1/m3|5
1E:0 particles PM10|1/m3|5
1F:0 illuminance|lx
20:0 luminous intensity|cd
21:0 radiant flux density|W/m2
22:0 wind speed|m/s
23:0 rainfall|l/mm2
24:0 noise|dBA
25:0 turbidity|FNU
27:0 pH||-1
2C:0 dismounts
2D:0 test button operations
2E:0 alarms
2F:0 alarm mute operations
30:0 obstacle detections
31:0 smoke entry blockages
32:0 smoke chamber defects
33:0 self-test failures
34:0 sounder defects
38:0 battery level|%
39:0 chamber pollution|%
3A:1 distance|m|-3
3E:0 moisture level|%
40:0 pressure status|||D
41:0 smoke status|||D
42:0 CO status|||D
43:0 heat alarm status|||D
44:0 door and window status|||D
"""

# Table 15, VIFEs: `CC:b qualifier|effect|argument`. Effects: F record error, P unit suffix, U unit instead (or none),
# T turns the record into a date or time, E power of ten, A constant 10**x added, C D X kind of data, S content in a
# form of its own (bytes; error flags stay bits), N a unit that the code does not tell, O no value of the VIF but an
# unsigned number instead.
VIFE = """
00:0 |
01:0 too many DIFE|F
02:0 storage number not implemented|F
03:0 subunit not implemented|F
04:0 tariff not implemented|F
05:0 function not implemented|F
06:0 data class not implemented|F
07:0 data size not implemented|F
0B:0 too many VIFE|F
0C:0 illegal VIF group|F
0D:0 illegal VIF exponent|F
0E:0 VIF and DIF do not match|F
0F:0 action not implemented|F
12:0 average
13:0 inverse compact profile|X
14:0 relative deviation|N
15:0 no data available|F
16:0 overflow|F
17:0 underflow|F
18:0 data error|F
1C:0 premature end of record|F
1D:0 standard conform|S
1E:0 compact profile with register numbers|X
1F:0 compact profile|X
20:0 per second|P|/s
21:0 per minute|P|/min
22:0 per hour|P|/h
23:0 per day|P|/d
24:0 per week|P|/week
25:0 per month|P|/month
26:0 per year|P|/year
27:0 per revolution or measurement|P|/revolution
28:0 per input pulse of channel 0|P|/pulse
29:0 per input pulse of channel 1|P|/pulse
2A:0 per output pulse of channel 0|P|/pulse
2B:0 per output pulse of channel 1|P|/pulse
2C:0 per litre|P|/l
2D:0 per cubic metre|P|/m3
2E:0 per kilogram|P|/kg
2F:0 per kelvin|P|/K
30:0 per kilowatt-hour|P|/kWh
31:0 per gigajoule|P|/GJ
32:0 per kilowatt|P|/kW
33:0 per kelvin litre|P|/(K*l)
34:0 per volt|P|/V
35:0 per ampere|P|/A
36:0 times second|P|*s
37:0 times second per volt|P|*s/V
38:0 times second per ampere|P|*s/A
39:0 start|T
3A:0 at measurement conditions
3B:0 forward
3C:0 backward
3D:0 non-metric units|N
3E:0 at base conditions
3F:0 OBIS declaration|O
40:0 lower limit
41:0 exceeds of lower limit|U
42:0 begin of first lower limit exceed|T
43:0 end of first lower limit exceed|T
46:0 begin of last lower limit exceed|T
47:0 end of last lower limit exceed|T
48:0 upper limit
49:0 exceeds of upper limit|U
4A:0 begin of first upper limit exceed|T
4B:0 end of first upper limit exceed|T
4E:0 begin of last upper limit exceed|T
4F:0 end of last upper limit exceed|T
50:2 duration of first lower limit exceed|U|s,min,h,d
54:2 duration of last lower limit exceed|U|s,min,h,d
58:2 duration of first upper limit exceed|U|s,min,h,d
5C:2 duration of last upper limit exceed|U|s,min,h,d
60:2 duration of first|U|s,min,h,d
64:2 duration of last|U|s,min,h,d
68:0 during lower limit exceed
69:0 leakage
6A:0 begin of first|T
6B:0 end of first|T
6C:0 during upper limit exceed
6D:0 overflow value
6E:0 begin of last|T
6F:0 end of last|T
70:3 |E|-6
78:2 |A|-3
7D:0 |E|3
7E:0 future
"""

# Table 15 in the direction to the meter: 00-0F are actions.
ACTIONS = """
00:0 write
01:0 add to value
02:0 subtract from value
03:0 or
04:0 and
05:0 exclusive or
06:0 and not
07:0 clear
08:0 add entry
09:0 delete entry
0A:0 delayed action
0B:0 freeze
0C:0 add to readout list
0D:0 delete from readout list
0F:0 get
"""

# Table 16, behind FC.
FC = """
01:0 phase L1
02:0 phase L2
03:0 phase L3
04:0 neutral
05:0 L1-L2
06:0 L2-L3
07:0 L3-L1
08:0 quadrant Q1
09:0 quadrant Q2
0A:0 quadrant Q3
0B:0 quadrant Q4
0C:0 delta between import and export
10:0 absolute
11:0 |C
12:0 |D
14:0 from communication partner to meter
15:0 from meter to communication partner
"""


def row(table, code):
    """The fields of the row of `table` that covers `code` and the code's low bits, or None."""
    for bits in (0, 3, 2, 1, 4):
        at = table.find("\n%02X:%d " % (code >> bits << bits, bits))
        if at >= 0:
            return table[at + 6 : table.find("\n", at + 1)].split("|"), code & ((1 << bits) - 1)
    return None
