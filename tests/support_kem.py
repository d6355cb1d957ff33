"""Key files of Kamstrup, constructed.

Written after the published facts (see key_import.py) and encrypted with `openssl enc -aes-128-cbc`, one with PKCS7 padding,
one with zeros. The XML of the first is the example that Kamstrup published for the MULTICAL 21 (decrypting and decoding
Sigfox meter data); that of the second is made up after what kem-extract.sh and kem-import.py of wmbusmeters look for.
"""

PUBLISHED = """\
<?xml version="1.0" encoding="utf-8"?>
<MetersInOrder orderid="" schemaVersion="2.0">
<Meter>
<MeterNo>57722719</MeterNo>
<SerialNo>57722719</SerialNo>
<EncKeys>
<DEK>C2E387277E39C9D821F3B05E1616F87C</DEK>
</EncKeys>
<MeterName>MC21</MeterName>
<ConsumptionType>VolumeCold</ConsumptionType>
<ConfigNo>0100200023133</ConfigNo>
<ProgramNo>
</ProgramNo>
<TypeNo>02111C04894</TypeNo>
<VendorId>KAM</VendorId>
</Meter>
</MetersInOrder>
"""
WRAP = """\
<?xml version="1.0" encoding="utf-8"?>
<EncryptedData Type="http://www.w3.org/2001/04/xmlenc#Element" xmlns="http://www.w3.org/2001/04/xmlenc#">
<EncryptionMethod Algorithm="http://www.w3.org/2001/04/xmlenc#aes128-cbc" />
<CipherData><CipherValue>{}</CipherValue></CipherData></EncryptedData>
"""
KEM = WRAP.format(
    """\
/qEncLg7Cfn5bVUUNe/zyGlRIsjsAIPUTEmmMOHlU2CaseuwxyjKZRQnF/ur1bxUjH+4baga3pFaYbXgx8JKevUKCQJSGez+/ppgV6+2fiBJmr
gJtIsUEKK9fiWZjEZmINASAevUC8XgoxNM0ZzmqBFx5a7xhsklI6PebgfltWXpJsJY7haljnno0WvluOrM3jsONT/gsqgr+mji6AWo/5L9wEmB
kHnUmsW+F9rHj7ulv46Bjje9YIB2lEruYgEOb1Fa3lbaX1yxZ7b2XXBNAZMcOH8gETP9OJJ+8pUWDViSt4tXb6zI7W/9udfQiU9ye6dJmMloQZ
Ib4+1+iEG6qlZc6yZkKOzSZIl1cov9sSocKATVRlr0NgQQ7UnRxDSkxoQBVnj9XQHo/4M1un7q8MkS+a6ek7DxYqEtUfSCtZ3h+QzVy3qyTo0b
bzcCVG1hN8mTENYe8/u3yLm3st/jDeqUYAMpGbGlr2C+eRzj1SrNmHn6bY25Y8P+SChf4JyiDcMVCzrqGUhTzU27By5ab5RdI7TCY73UQvD0SI
tasDnPK+Gnp+d6+ODk+DZwroR0"""
)
KEM2 = WRAP.format(
    """\
xYurNNyn7GiNQCMI/zKCyBnIxTSMStwDIvzzvrUSgeF5Az1EMn6XAbRKgsBfQOHSqYt+9TvbqFOXw384ov49kKWA/ekh3kHicZL6ORuJ20QTVS
ELsB7o8ybGFRR+IxZIEEyZHnI13p77uvkTL0uvzTJzz5rVeXDJoTqvUKmsazx/M3pJeeRIHko849jHqGdSUyjhdrNKiHBmnIybjamJvyUsgELM
caqzScOv9Gx6M9q1maYsC3tG3DRca4W2eNS0ZxlOcLDDz3xj0zXmx088w4dfIq5w5yq4g+SpmnPTMnL/RusMZ32AfBS+kDvymBKB83Ab57wD9+
gOioXl7Bp8t4OeBCuhsrhqPG83H3RJvAVvzOnZxz844w1GUmR790zmnBa9ZYs16PyLhT3Mb7TcVwvoQS87AOZF62tj2gZi7F21URfLCKAyWXJj
3E35AXNbQ3r52zfWPJuKOxt3RVndkLjWVfVN2cldPXutWGRhg2LIGJ9zcLueBDjzDxtpcb87MztP2u0S/3H96oMy9T+ReS9oas+95Zt3qcLeH5
9Vy3E8Aee38Ge3+orrSG+N1gcJ4iQ1qFRAonsGLeDA2eMZeCr2Qat2eofT8M0mDOWz1C9eQ0oS/VGNoQmgqNgxnc5u4kaZOabKh+7FJWcvNTzR
hKWt7eJQig0nb/XQg1A+hGdZE1YV4PmSPpyKdRjmhBTywLNRYqIfOAs1ZVFHn0f8iQu9M8qLFIQHfDgFA3rShSE="""
)
PASSWORD, PASSWORD_2 = "0310482W", "Kundennummer-4711-lang"  # the second is longer than a key
