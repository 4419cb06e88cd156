"""What other tools say of the LoRAs that their prompts name."""

from imaginairy.metadata.foreign import ForeignRecord, parse_parameters


def test_hashes_of_the_loras_that_a_prompt_names() -> None:
    def parsed_of(prompt: str, settings: str) -> ForeignRecord:
        text = f"{prompt}\nSteps: 2, CFG scale: 7, Seed: 1, {settings}"
        record = parse_parameters(text)
        assert record is not None
        return record

    prompt = "a fox <lora:soft: 0.5><lyco:my hat:1:0.5>"
    record = parsed_of(prompt, 'Lora hashes: "soft: 01ab, my hat: 23CD"')
    assert (record.lora_hashes, record.unknown) == (
        {"soft": "01ab", "my hat": "23cd"},
        {},
    )
    assert record.fields["prompt"] == prompt
    sites = '{"model": "6ce0161689", "lora:soft": "45ef"}'
    record = parsed_of(prompt, f"Hashes: {sites}")
    assert (record.lora_hashes, record.unknown) == ({"soft": "45ef"}, {})
    record = parsed_of("a fox", 'Lora hashes: "soft: 01ab"')
    assert record.unknown == {"Lora hashes": "soft: 01ab"}, "its weight is not said"
