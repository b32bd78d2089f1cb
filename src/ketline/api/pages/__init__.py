"""The routes of the web pages; `ketline.web` renders them."""
