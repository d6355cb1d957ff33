"""OMS LPWAN burst mode: what is between the chips on the air and the PHY payload (OMS Vol. 2 Annex Q.2)."""
