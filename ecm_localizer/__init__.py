"""The name that users import, `Localizer` and `Client`, and the command that they type, `ecm`."""
