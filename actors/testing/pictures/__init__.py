"""How a history is told: as text, and as a sequence diagram."""
