"""What is known of the encryption of stored secrets."""

from sqlmodel import Field, SQLModel


class SecretsBound(SQLModel, table=True):
    """One row when every stored secret is bound to its place: bare tokens are not read any more from then on."""

    id: int = Field(primary_key=True)
