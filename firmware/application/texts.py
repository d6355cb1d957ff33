"""Plain-text units with a meaning, apart because hardly a device sends them."""

# Plain-text units that mean a quantity and unit of their own (OMS Vol.2 Annex B, B.3.2: the older form of what Table 13
# has since): `text|quantity|unit|exponent|kind`.
TEXTS = """
#UI|dismounts
#FT|test button operations
#AL|alarms
#AM|alarm mute operations
#OD|obstacle detections
#SB|smoke entry blockages
#SCD|smoke chamber defects
#SF|self-test failures
#SD|sounder defects
%CP|chamber pollution|%
%BS|battery level|%
CO1|CO concentration|ppm
CO2|CO2 concentration|ppm
CD1|conductivity|uS/cm
mm|distance|m|-3
cm|distance|m|-2
Ohm|resistance|Ohm
IR1|radiant flux density|W/m2
lx|illuminance|lx
cd|luminous intensity|cd
DS1|pressure status|||D
DS2|CO status|||D
DS3|smoke status|||D
DS4|door and window status|||D
dBA|noise|dBA
pH|pH||-1
PT1|particles|ug/m3
PT2|particles PM1|ug/m3
PT3|particles PM2.5|ug/m3
PT4|particles PM10|ug/m3
PT5|particles|1/m3|5
PT6|particles PM1|1/m3|5
PT7|particles PM2.5|1/m3|5
PT8|particles PM10|1/m3|5
RH2|moisture level|%
FNU|turbidity|FNU
NM|surface tension|Nm/m2
VC1|volatile organic compounds|ppb
VC2|volatile organic compounds|ug/m3
WS1|wind speed|m/s
"""
