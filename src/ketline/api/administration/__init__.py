"""The routes by which administrators stop claims, intervene in tasks, and maintain the database."""
