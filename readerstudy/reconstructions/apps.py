from django.apps import AppConfig


class ReconstructionsConfig(AppConfig):
    name = "readerstudy.reconstructions"
