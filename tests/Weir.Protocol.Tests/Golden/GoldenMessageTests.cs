using Weir.Protocol.Fuzz.Messages;
using Weir.Protocol.Wire;
using Xunit;

namespace Weir.Protocol.Tests.Golden;

/// <summary>What is on the wire today stays readable: a change of any byte of any message shows here.</summary>
[Trait("Category", "Unit")]
public sealed class GoldenMessageTests
{
    public static TheoryData<string> Messages => [.. MessageCatalog.All.Select(static message => message.Name)];

    [Theory]
    [MemberData(nameof(Messages))]
    public void A_message_has_its_golden_bytes(string name)
    {
        var message = MessageCatalog.Get(name);

        GoldenFile.Check(name, message.Sample().Fields, message.EncodeSample());
    }

    [Theory]
    [MemberData(nameof(Messages))]
    public void Golden_bytes_decode_to_the_values_beside_them(string name)
    {
        var message = MessageCatalog.Get(name);

        Assert.Equal(message.Sample().Fields, message.DecodeAndDump(GoldenFile.Read(name)));
    }

    [Fact]
    public void Every_golden_file_belongs_to_something()
    {
        var known = MessageCatalog.All.Select(static message => message.Name).Concat(GoldenBatchTests.Names)
            .Append(FrameHeaderName).Order(StringComparer.Ordinal);
        var found = Directory.GetFiles(Repository.GoldenDirectory, "*.hex").Select(Path.GetFileNameWithoutExtension)
            .Order(StringComparer.Ordinal);

        Assert.Equal(known, found!);
    }

    [Fact]
    public void A_frame_header_has_its_golden_bytes()
    {
        var header = new FrameHeader(
            0x00012345, FrameKind.Response, FrameFlags.Error, ApiKey.Produce, Version: 0x0201, CorrelationId: 0xA1B2C3D4);
        var bytes = new byte[FrameHeader.Size];
        header.Write(bytes);

        GoldenFile.Check(FrameHeaderName, [header.ToString()], bytes);
        Assert.Equal(header, FrameHeader.Read(GoldenFile.Read(FrameHeaderName), ProtocolLimits.FrameBytes));
    }

    private const string FrameHeaderName = "FrameHeader";
}
