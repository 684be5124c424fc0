"""The command line: one file a verb. Heavy parts are imported inside the verbs, so that help is instant."""
