"""Who is shown: rules and groups, tried before they are stored, and everyone judged by them."""
