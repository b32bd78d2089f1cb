"""The pages as a browser shows them: what is made of tasks, workers and programs, without any route."""
