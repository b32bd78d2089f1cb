"""The presentation of the pages: templates, formatting, charts and static files; the routes are in `api.pages`."""
