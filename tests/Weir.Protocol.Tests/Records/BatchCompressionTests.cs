using System.Buffers;
using System.Buffers.Binary;
using Weir.Protocol.Errors;
using Weir.Protocol.Records;
using Weir.Testing.Support;
using Xunit;

namespace Weir.Protocol.Tests.Records;

[Trait("Category", "Unit")]
public sealed class BatchCompressionTests
{
    private const int MaxBytes = 64 * 1024;
    private const int UncompressedBytesPosition = 108;

    [Theory]
    [InlineData(CompressionType.Lz4)]
    [InlineData(CompressionType.Zstd)]
    public void A_batch_that_announces_too_much_is_refused_before_anything_is_allocated(CompressionType compression)
    {
        var batch = RecordBatchTests.Stored(compression, valueBytes: 1000);
        BinaryPrimitives.WriteInt32LittleEndian(batch.AsSpan(UncompressedBytesPosition), int.MaxValue);
        Assert.Equal(ErrorCode.BatchTooLarge, Refusal(batch));
        var before = GC.GetAllocatedBytesForCurrentThread();

        Refusal(batch);

        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 16 * 1024);
    }

    [Theory]
    [InlineData(CompressionType.Lz4)]
    [InlineData(CompressionType.Zstd)]
    public void A_batch_that_is_larger_or_smaller_than_it_announces_is_refused(CompressionType compression)
    {
        var batch = RecordBatchTests.Stored(compression, valueBytes: 1000);
        var announced = BinaryPrimitives.ReadInt32LittleEndian(batch.AsSpan(UncompressedBytesPosition));
        foreach (var wrong in new[] { announced - 1, announced + 1, 20, MaxBytes })
        {
            BinaryPrimitives.WriteInt32LittleEndian(batch.AsSpan(UncompressedBytesPosition), wrong);

            Assert.Equal(ErrorCode.InvalidBatch, Refusal(batch));
        }
    }

    [Theory]
    [InlineData(CompressionType.Lz4)]
    [InlineData(CompressionType.Zstd)]
    public void Damaged_compressed_bytes_give_a_protocol_error_or_bytes_of_the_size_announced(CompressionType compression)
    {
        var seed = (ulong)Random.Shared.NextInt64();
        var random = new SeededRandom(seed);
        var intact = RecordBatchTests.Stored(compression, valueBytes: 1000);
        var refused = 0;
        for (var i = 0; i < 5_000; i++)
        {
            var batch = intact.ToArray();
            for (var flips = 1 + random.Next(4); flips > 0; flips--)
            {
                batch[RecordBatchHeader.Size + random.Next(batch.Length - RecordBatchHeader.Size)] = (byte)random.Next(256);
            }

            try
            {
                Decompress(batch);
            }
            catch (ProtocolException e) when (e.Code == ErrorCode.InvalidBatch)
            {
                refused++;
            }
            catch (Exception e)
            {
                Assert.Fail($"seed {seed}, batch {i}: {e}");
            }
        }

        Assert.InRange(refused, 1, 5_000);
    }

    [Fact]
    public void An_unknown_codec_is_named()
    {
        var batch = RecordBatchTests.Stored(CompressionType.Lz4, valueBytes: 1000);
        batch[45] = 3;

        Assert.Equal(ErrorCode.UnsupportedCompression, Refusal(batch));
    }

    [Fact]
    public void Records_that_do_not_get_smaller_stay_uncompressed()
    {
        var random = new SeededRandom(1);
        var value = new byte[500];
        random.NextBytes(value);
        using var builder = new RecordBatchBuilder(10_000);
        builder.TryAdd(0, default, hasKey: false, value, hasValue: true, []);

        var batch = builder.Seal(Guid.Empty, 0, BatchProducer.None, CompressionType.Lz4);

        Assert.Equal(CompressionType.None, RecordBatchHeader.Verify(batch.Span).Compression);
    }

    private static ErrorCode Refusal(byte[] batch) => Assert.Throws<ProtocolException>(() => Decompress(batch)).Code;

    private static void Decompress(byte[] batch)
    {
        Assert.True(RecordBatchHeader.TryRead(batch, out var header, out var fault), fault);
        var records = BatchCompression.Decompress(batch, header, MaxBytes, out var pooled);
        Assert.Equal(header.UncompressedBytes, records.Length);
        if (pooled is not null)
        {
            ArrayPool<byte>.Shared.Return(pooled);
        }
    }
}
