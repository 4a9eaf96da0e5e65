"""Other tools that quantize ONNX models, at the settings that their own documents recommend."""
import importlib.util
import logging

import onnx


def prepared(model, folder):
    """As onnxruntime.quantization wants it: shapes inferred, BatchNormalization folded; the model itself where that fails."""
    from onnxruntime.quantization.shape_inference import quant_pre_process

    target = folder / "prepared.onnx"
    if not target.exists():
        source = onnx.load(model)
        if source.opset_import[0].version < 13:
            source = onnx.version_converter.convert_version(source, 13)
        try:
            quant_pre_process(source, str(target))
        except Exception as error:
            logging.warning("quant_pre_process: %s", error)
            onnx.save(source, target)
    return str(target)


def onnxruntime_form(method):
    def make(model, images, folder):
        from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static

        class Reader(CalibrationDataReader):
            def __init__(self, name):
                self.batches = iter([{name: images[i:i + 1]} for i in range(len(images))])

            def get_next(self):
                return next(self.batches, None)

        source = prepared(model, folder)
        target = str(folder / "peer.onnx")
        quantize_static(source, target, Reader(onnx.load(source).graph.input[0].name), quant_format=QuantFormat.QDQ,
                        per_channel=True, activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
                        calibrate_method=CalibrationMethod[method])
        return target

    return make


def dynamic_form(model, images, folder):
    from onnxruntime.quantization import QuantType, quantize_dynamic

    target = str(folder / "peer.onnx")
    quantize_dynamic(prepared(model, folder), target, per_channel=True, weight_type=QuantType.QInt8,
                     op_types_to_quantize=["MatMul", "Gemm"])
    return target


def mat_mul_n_bits_form(model, images, folder):
    from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer

    quantizer = MatMulNBitsQuantizer(onnx.load(prepared(model, folder)), block_size=32, is_symmetric=False)
    quantizer.process()
    target = str(folder / "peer.onnx")
    quantizer.model.save_model_to_file(target)
    return target


def nncf_form(model, images, folder):
    import nncf

    source = onnx.load(prepared(model, folder))
    name = source.graph.input[0].name
    data = nncf.Dataset([images[i:i + 1] for i in range(len(images))], lambda image: {name: image})
    quantized = nncf.quantize(source, data, subset_size=len(images))
    target = str(folder / "peer.onnx")
    onnx.save(quantized, target)
    return target


PEERS = {f"onnxruntime.quantization, {name}": onnxruntime_form(method)
         for name, method in (("min-max", "MinMax"), ("entropy", "Entropy"), ("percentile", "Percentile"))}
if importlib.util.find_spec("nncf"):
    PEERS["NNCF"] = nncf_form
TRANSFORMER_PEERS = {"onnxruntime.quantization, dynamic": dynamic_form,
                     "onnxruntime.quantization, MatMulNBits of 32": mat_mul_n_bits_form}
