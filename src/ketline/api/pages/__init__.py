"""The routes of the pages that people see; what is on them is made in `ketline.web`."""
