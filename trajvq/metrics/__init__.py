"""What good means: tracking, figures and the rows that no model should lose to. Knows no model."""
