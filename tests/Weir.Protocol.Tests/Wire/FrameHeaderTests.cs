using Weir.Protocol.Errors;
using Weir.Protocol.Messages;
using Weir.Protocol.Wire;
using Xunit;

namespace Weir.Protocol.Tests.Wire;

[Trait("Category", "Unit")]
public sealed class FrameHeaderTests
{
    private const int Limit = 1000;

    [Theory]
    [InlineData(0u, ErrorCode.MalformedFrame)]
    [InlineData(11u, ErrorCode.MalformedFrame)]
    [InlineData(997u, ErrorCode.FrameTooLarge)]
    [InlineData(0x7FFF_FFFFu, ErrorCode.FrameTooLarge)]
    [InlineData(0x8000_0000u, ErrorCode.FrameTooLarge)]
    [InlineData(0xFFFF_FFFFu, ErrorCode.FrameTooLarge)]
    public void A_length_outside_the_limits_is_refused(uint length, ErrorCode expected)
    {
        var bytes = Header();
        BitConverter.TryWriteBytes(bytes, length);

        Assert.Equal(expected, Assert.Throws<ProtocolException>(() => FrameHeader.Read(bytes, Limit)).Code);
    }

    [Theory]
    [InlineData(12u)]
    [InlineData(996u)]
    public void The_smallest_and_the_largest_length_are_accepted(uint length)
    {
        var bytes = Header();
        BitConverter.TryWriteBytes(bytes, length);

        Assert.Equal(length + 4, (uint)FrameHeader.Read(bytes, Limit).FrameLength);
    }

    [Theory]
    [InlineData(4, 0)]
    [InlineData(4, 4)]
    [InlineData(5, 1)]
    [InlineData(5, 2)]
    [InlineData(10, 1)]
    [InlineData(11, 0x80)]
    public void An_unknown_kind_or_a_reserved_bit_is_refused(int position, byte value)
    {
        var bytes = Header();
        bytes[position] = value;

        Assert.Equal(
            ErrorCode.MalformedFrame, Assert.Throws<ProtocolException>(() => FrameHeader.Read(bytes, Limit)).Code);
    }

    [Fact]
    public void The_error_flag_goes_with_a_response_only()
    {
        var bytes = Header();
        bytes[4] = (byte)FrameKind.Response;
        bytes[5] = (byte)FrameFlags.Error;
        Assert.Equal(FrameFlags.Error, FrameHeader.Read(bytes, Limit).Flags);

        bytes[4] = (byte)FrameKind.Push;
        Assert.Throws<ProtocolException>(() => FrameHeader.Read(bytes, Limit));
    }

    [Fact]
    public void A_message_over_its_bound_leaves_the_frames_before_it_whole()
    {
        using var buffer = new WireBuffer();
        Frames.Append(buffer, FrameKind.Request, ApiKey.Ping, 1, 1, new PingRequest());
        var before = buffer.Span.ToArray();
        var tooLong = new HelloRequest { SdkName = "weir", ClientId = new string('x', ProtocolLimits.ShortStringBytes + 1) };

        Assert.Throws<ProtocolException>(() => Frames.Append(buffer, FrameKind.Request, ApiKey.Hello, 1, 2, tooLong));
        Assert.Equal(before, buffer.Span.ToArray());

        var drain = new DrainPush { Reason = new string('x', ProtocolLimits.ErrorTextBytes + 1) };
        Assert.Throws<ProtocolException>(() => Frames.AppendPush(buffer, drain, 1, payloadBytes: 0));
        Assert.Equal(before, buffer.Span.ToArray());
    }

    private static byte[] Header()
    {
        var bytes = new byte[FrameHeader.Size];
        new FrameHeader(12, FrameKind.Request, FrameFlags.None, ApiKey.Ping, 1, 1).Write(bytes);
        return bytes;
    }
}
