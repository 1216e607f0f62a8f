"""How findings are written: for people, for programs, for code hosts."""
