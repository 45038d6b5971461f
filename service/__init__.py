"""An HTTP service around the pipeline, with the interface of OpenAI's chat completions and one of its own."""
