using Weir.Protocol.Errors;
using Weir.Protocol.Records;
using Weir.Protocol.Tests.Golden;
using Xunit;

namespace Weir.Protocol.Tests.Records;

[Trait("Category", "Unit")]
public sealed class RecordReaderTests
{
    [Fact]
    public void A_record_cut_at_any_byte_is_refused()
    {
        var batch = GoldenFile.Read("RecordBatch.none");
        var records = batch[RecordBatchHeader.Size..];
        var end = RecordReader.Read(records, 0, 0).End;
        for (var cut = 0; cut < end; cut++)
        {
            Assert.Equal(ErrorCode.InvalidBatch, Refusal(() => RecordReader.Read(records.AsSpan(0, cut), 0, 0)));
        }

        for (var cut = 0; cut < records.Length; cut++)
        {
            Assert.Equal(ErrorCode.InvalidBatch, Refusal(() => RecordReader.CheckFraming(records.AsSpan(0, cut), 4)));
        }
    }

    [Theory]
    [InlineData(3)]
    [InlineData(5)]
    [InlineData(int.MaxValue)]
    public void A_count_that_does_not_match_the_records_is_refused(int count)
    {
        var records = GoldenFile.Read("RecordBatch.none")[RecordBatchHeader.Size..];

        Assert.Equal(ErrorCode.InvalidBatch, Refusal(() => RecordReader.CheckFraming(records, count)));
    }

    [Theory]
    [InlineData("04 00 00 00 01", "one header, no bytes for it")]
    [InlineData("08 00 00 00 03 0000 0000", "three headers in the bytes of two")]
    [InlineData("05 00 00 00 00 00", "a byte after the last field")]
    [InlineData("05 00 00 00 8108", "1025 headers")]
    [InlineData("04 00 03 00 00", "key longer than the record")]
    [InlineData("04 00 00 03 00", "value longer than the record")]
    [InlineData("FFFFFFFF0F 00 00 00 00", "length of 4 GiB")]
    [InlineData("FFFFFFFF1F 00 00 00 00", "length of more than 32 bits")]
    [InlineData("0E FFFFFFFFFFFFFFFFFF02 00 00 00 00", "timestamp delta of 65 bits")]
    [InlineData("0E FFFFFFFFFFFFFFFFFF8101 00 00 00", "number of eleven bytes")]
    [InlineData("00", "no bytes at all")]
    public void A_record_that_breaks_the_format_is_refused(string hex, string why)
    {
        var records = Convert.FromHexString(hex.Replace(" ", string.Empty, StringComparison.Ordinal));

        Assert.True(Refusal(() => RecordReader.Read(records, 0, 0)) == ErrorCode.InvalidBatch, why);
    }

    [Theory]
    [InlineData("05 00", "name longer than the record")]
    [InlineData("01 61 09", "value longer than the record")]
    [InlineData("01 61", "no value")]
    [InlineData("80", "number cut off")]
    public void A_header_that_breaks_the_format_is_refused(string hex, string why)
    {
        var bytes = Convert.FromHexString(hex.Replace(" ", string.Empty, StringComparison.Ordinal));

        Assert.True(Refusal(() => RecordReader.ReadHeader(bytes, 0, bytes.Length)) == ErrorCode.InvalidBatch, why);
    }

    [Fact]
    public void A_header_does_not_reach_into_the_next_record()
    {
        byte[] bytes = [1, (byte)'a', 3, 1, 2, 9, 9, 9];

        Assert.Equal(5, RecordReader.ReadHeader(bytes, 0, 5).End);
        Assert.Equal(ErrorCode.InvalidBatch, Refusal(() => RecordReader.ReadHeader(bytes, 0, 4)));
    }

    [Fact]
    public void The_smallest_record_is_as_small_as_announced()
    {
        byte[] smallest = [4, 0, 0, 0, 0];
        Assert.Equal(RecordReader.MinRecordBytes, smallest.Length);

        var record = RecordReader.Read(smallest, 0, 99);

        Assert.Equal((99L, -1, -1, 0, 5), (record.TimestampMs, record.KeyLength, record.ValueLength, record.HeaderCount, record.End));
    }

    private static ErrorCode Refusal(Action read) => Assert.Throws<ProtocolException>(read).Code;
}
