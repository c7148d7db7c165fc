"""Writes the trained guide as one GGUF file: `python models/guide/export.py`."""

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import gguf
import torch
from corpus import LANGUAGES, digest_data
from gguf.quants import quantize
from model import Shape
from tokenizer import CHAT_TEMPLATE, END_OF_TEXT, TURN_END
from torch import Tensor
from train import WORK

TARGET = Path(__file__).resolve().parents[1] / "edgeinfer_models" / "edgeinfer-guide-Q8_0.gguf"
DESCRIPTION = (
    "A {size}-parameter guide that only knows edgeinfer and running language models locally; "
    "not a general assistant"
)
Q8_0 = gguf.GGMLQuantizationType.Q8_0
MOST_BYTES = 6 * 1024 * 1024


def name_tensors(weights: Mapping[str, Tensor], shape: Shape) -> Iterator[tuple[str, Tensor]]:
    """The weights under llama.cpp's names; joint matrices are taken apart."""
    yield "token_embd.weight", weights["embedding.weight"]
    yield "output_norm.weight", weights["norm.weight"]
    for layer in range(shape.layers):
        source, target = f"blocks.{layer}", f"blk.{layer}"
        joint = weights[f"{source}.attention.joint.weight"].chunk(3)
        for letter, matrix in zip("qkv", joint, strict=True):
            yield f"{target}.attn_{letter}.weight", matrix
        yield f"{target}.attn_output.weight", weights[f"{source}.attention.output.weight"]
        gate, lifted = weights[f"{source}.feed.joint.weight"].chunk(2)
        yield f"{target}.ffn_gate.weight", gate
        yield f"{target}.ffn_up.weight", lifted
        yield f"{target}.ffn_down.weight", weights[f"{source}.feed.down.weight"]
        yield f"{target}.attn_norm.weight", weights[f"{source}.attention_norm.weight"]
        yield f"{target}.ffn_norm.weight", weights[f"{source}.feed_norm.weight"]


def describe_model(writer: gguf.GGUFWriter, count: int) -> None:
    """What the file says about itself."""
    size = f"{count / 1e6:.0f}M"
    writer.add_name("edgeinfer-guide")
    writer.add_basename("edgeinfer-guide")
    writer.add_size_label(size)
    writer.add_license("Apache-2.0")
    writer.add_description(DESCRIPTION.format(size=size))
    writer.add_languages(list(LANGUAGES))
    # It recites: the likeliest token is the right one.
    writer.add_float32("general.sampling.temp", 0.0)
    writer.add_string("edgeinfer.guide.data_sha256", digest_data())


def describe_shape(writer: gguf.GGUFWriter, shape: Shape) -> None:
    """What llama.cpp needs to build the network."""
    writer.add_context_length(shape.context)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.hidden)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.heads)
    writer.add_rope_dimension_count(shape.head_width)
    writer.add_rope_freq_base(shape.rope_base)
    writer.add_layer_norm_rms_eps(shape.norm_epsilon)
    writer.add_vocab_size(shape.vocabulary)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)


def describe_tokenizer(writer: gguf.GGUFWriter, path: Path) -> None:
    """Tokens, merges and template of a saved tokenizer."""
    saved = json.loads(path.read_text(encoding="utf-8"))
    control = {token["content"]: token["id"] for token in saved["added_tokens"]}
    tokens = {**saved["model"]["vocab"], **control}
    ordered = sorted(tokens, key=lambda token: tokens[token])
    types = [gguf.TokenType.CONTROL if token in control else gguf.TokenType.NORMAL
             for token in ordered]  # fmt: skip
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(ordered)
    writer.add_token_types(types)
    writer.add_token_merges([" ".join(merge) for merge in saved["model"]["merges"]])
    writer.add_bos_token_id(tokens[END_OF_TEXT])
    writer.add_eos_token_id(tokens[TURN_END])
    writer.add_pad_token_id(tokens[END_OF_TEXT])
    writer.add_add_bos_token(value=False)
    writer.add_chat_template(CHAT_TEMPLATE)


def write_tensor(writer: gguf.GGUFWriter, name: str, tensor: Tensor) -> None:
    """Matrices as Q8_0, the gains of the norms as they are."""
    numbers = tensor.float().contiguous().numpy()
    if tensor.dim() == 1:
        writer.add_tensor(name, numbers)
    else:
        writer.add_tensor(name, quantize(numbers, Q8_0), raw_dtype=Q8_0)


def export_guide(folder: Path, target: Path) -> int:
    """Writes the averaged weights of a checkpoint; returns the size of the file in bytes."""
    state = torch.load(folder / "checkpoint.pt", weights_only=True)
    shape, weights = Shape(**state["shape"]), state["averaged"]
    target.parent.mkdir(parents=True, exist_ok=True)
    writer = gguf.GGUFWriter(target, "llama")
    describe_model(writer, sum(weight.numel() for weight in weights.values()))
    describe_shape(writer, shape)
    describe_tokenizer(writer, folder / "tokenizer.json")
    for name, tensor in name_tensors(weights, shape):
        write_tensor(writer, name, tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return target.stat().st_size


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; exit code 1 where the file is larger than 6 MiB."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=WORK, help="of checkpoint and tokenizer")
    parser.add_argument("--target", type=Path, default=TARGET)
    options = parser.parse_args(arguments)
    size_bytes = export_guide(options.folder, options.target)
    print(f"{options.target}: {size_bytes:,} bytes")
    return int(size_bytes > MOST_BYTES)


if __name__ == "__main__":
    raise SystemExit(main())
