"""Long names as people give them: several words, so that they wrap."""

LONG_PERSON = "Maria da Conceição Albuquerque de Vasconcelos e Sousa"
LONG_INTEGRATION = "Vale Verde, contact centre and branch offices in Lisbon"
