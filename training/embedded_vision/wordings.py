"""How a person may put the tasks: several wordings of each, so that none is tied to one string."""

from __future__ import annotations

GRAPH_PLAIN: tuple[str, ...] = (
    "Write the scene graph of this image as JSON.",
    "Describe the picture as a scene graph in JSON: objects, attributes and relations.",
    "Give a scene graph in JSON with the objects, their attributes and their relations.",
    "List every object with its attributes, and how they relate, as JSON.",
    "Generate a scene graph of the image in JSON format.",
    "JSON scene graph:",
)
"""Call for a scene graph without a question."""

GRAPH_FOR_QUESTION: tuple[str, ...] = (
    "Question: {question}\nBefore answering, write a scene graph of the image as JSON with the "
    "objects, their attributes and the relations between them.",
    "{question}\nFor this image and question, generate a scene graph in JSON format that includes "
    "objects, attributes of objects and relationships between objects that help to answer.",
    "Task: write a scene graph as JSON (objects, attributes, relations) that helps to answer the "
    "question.\nQuestion: {question}\nScene graph:",
    "Do not answer yet. Write down the objects, their attributes and their relations as JSON.\n"
    "Question: {question}",
)
"""Call 1 of compositional chain-of-thought."""

ANSWER_WITH_GRAPH: tuple[str, ...] = (
    "Scene graph: {graph}\nUse the image and the scene graph to answer the question.\n"
    "Question: {question}",
    "{graph}\nUse the image and the scene graph above as context and answer the question: "
    "{question}",
    "Scene graph:\n{graph}\n\nQuestion: {question}\nAnswer with the help of the scene graph.",
    "Question: {question}\nScene graph of the image: {graph}\nAnswer:",
)
"""Call 2 of compositional chain-of-thought."""

LIST: tuple[str, ...] = (
    "List the objects.",
    "List all objects in the picture.",
    "Which objects are there?",
)
CAPTION_SHORT: tuple[str, ...] = (
    "Describe the image in one sentence.",
    "What is in the picture?",
    "Write a short caption.",
    "What does this image show?",
)
CAPTION_LONG: tuple[str, ...] = (
    "Describe the image in detail.",
    "Describe everything in the picture, with its place.",
    "Write a detailed description of this image.",
)

BRIEFLY: tuple[str, ...] = (
    "{question}\nAnswer with a single word or phrase.",
    "{question} Answer briefly.",
    "Question: {question}\nAnswer:",
    "Answer in one word or phrase: {question}",
)
"""Around a question that wants a short answer."""
IN_A_SENTENCE: tuple[str, ...] = (
    "{question} Answer in a full sentence.",
    "{question}\nAnswer with a sentence.",
)

IS_THERE: tuple[str, ...] = (
    "Is there {a} in the image?",
    "Is there {a}?",
    "Is {a} present?",
    "Does the image contain {a}?",
    "Does the picture have {a} in it?",
    "Do you see {a} here?",
)
IS_THERE_NOT: tuple[str, ...] = (
    "Is there not {a} in the image?",
    "Is there no {noun}?",
    "Is no {noun} present?",
    "Does the image not contain {a}?",
    "Is {a} missing from the picture?",
    "Is it true that there is no {noun}?",
)
"""The same, the other way round: Yes says that there is none."""

ONLY_COLOR: tuple[str, ...] = (
    "What color is the {noun}?",
    "What is the color of the {noun}?",
    "Which color does the {noun} have?",
    "Name the color of the {noun}.",
    "Color?",
)
ONLY_SHAPE: tuple[str, ...] = (
    "What shape is in the image?",
    "What shape is present?",
    "Which shape does the image contain?",
    "What shape is this?",
    "Name the shape.",
    "Shape?",
)
"""Questions about a picture's only object."""

JUDGE: tuple[str, ...] = (
    "User: {question}\nResponse: {proposed}\n\nDoes the response meet this criterion: The answer "
    "is correct.\nAnswer Yes or No.",
    "User: {question}\nResponse: {proposed}\n\nDoes the response meet this criterion: The response "
    "is true of the image.\nAnswer Yes or No.",
    "{question}\n{proposed}\nRight or wrong? Say Yes if it is right and No if it is wrong.",
)
"""Judging a proposed answer, besides the wordings of `headwise.scenes`."""

TEXT_PROMPTS: tuple[str, ...] = (
    "What is the capital of France?",
    "Explain photosynthesis to a child.",
    "Write a short poem about the sea.",
    "Give me three tips for sleeping better.",
    "What is the difference between a virus and a bacterium?",
    "Translate 'good morning' into Spanish.",
    "Who wrote Romeo and Juliet?",
    "How do I boil an egg?",
    "List five kinds of fruit.",
    "What is 12 plus 30?",
    "Summarize the story of Cinderella in two sentences.",
    "Why is the sky blue?",
    "Write a polite e-mail that declines an invitation.",
    "What does HTTP stand for?",
    "Write a Python function that adds two numbers.",
    "What are the primary colors?",
    "How many legs does a spider have?",
    "Tell me a joke about computers.",
    "What is the largest planet in the solar system?",
    "Name two rivers in Africa.",
    "How can I learn to play the guitar?",
    "What is inflation in economics?",
    "Is a tomato a fruit? Answer Yes or No.",
    "Is Berlin the capital of Spain? Answer Yes or No.",
    "Classify the sentiment of this review as positive or negative: I loved this film.",
    "Classify the sentiment of this review as positive or negative: The food was cold and bland.",
    "Write one sentence about dogs.",
    "Give a synonym for 'happy'.",
    "What is the opposite of hot?",
    "Describe a typical day of a teacher.",
    "What should I pack for a trip to the mountains?",
    "Write a JSON object with the name and the age of a person.",
    "Explain what a neural network is.",
    "What is the boiling point of water in Celsius?",
    "How do birds fly?",
    "Give me a recipe for pancakes.",
    "What is the theme of the novel 1984?",
    "Rewrite this sentence in the past tense: She walks to school.",
    "What are the benefits of exercise?",
    "Which is heavier, a kilogram of iron or a kilogram of feathers?",
    "Who painted the Mona Lisa?",
    "Write a haiku about autumn.",
    "How does a bicycle stay upright?",
    "What is a metaphor? Give an example.",
    "Name the seven days of the week.",
    "What causes earthquakes?",
    "Write a birthday message for a friend.",
    "What is the chemical formula of water?",
)
"""Prompts without images, whose answers the trained model should not change."""
