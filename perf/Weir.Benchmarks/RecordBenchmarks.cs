using BenchmarkDotNet.Attributes;
using Weir.Protocol.Records;

namespace Weir.Benchmarks;

/// <summary>The client's side: encoding, checking and decoding a batch of 1,000 records of 100 bytes.</summary>
[MemoryDiagnoser]
public class RecordBenchmarks
{
    private const int Records = 1000;
    private readonly byte[] _value = new byte[100];
    private readonly RecordBatchBuilder _builder = new(1024 * 1024);
    private byte[] _batch = null!;

    [GlobalSetup]
    public void Encode() => _batch = Fill().ToArray();

    [GlobalCleanup]
    public void Return() => _builder.Dispose();

    [Benchmark(OperationsPerInvoke = Records)]
    public int EncodeBatch() => Fill().Length;

    [Benchmark(OperationsPerInvoke = Records)]
    public bool VerifyBatch() => RecordBatchHeader.HasValidChecksum(_batch) && RecordBatchHeader.HasValidStamp(_batch);

    [Benchmark(OperationsPerInvoke = Records)]
    public int DecodeBatch()
    {
        var records = _batch.AsSpan(RecordBatchHeader.Size);
        var bytes = 0;
        for (var position = 0; position < records.Length;)
        {
            var record = RecordReader.Read(records, position, baseTimestampMs: 0);
            bytes += record.ValueLength;
            position = record.End;
        }

        return bytes;
    }

    private ReadOnlyMemory<byte> Fill()
    {
        _builder.Reset();
        for (var i = 0; i < Records; i++)
        {
            _builder.TryAdd(0, default, hasKey: false, _value, hasValue: true, []);
        }

        return _builder.Seal(Guid.Empty, 0, BatchProducer.None);
    }
}
