using Weir.Protocol.Messages;

namespace Weir.Protocol.Wire;

/// <summary>Writes whole frames into a buffer.</summary>
public static class Frames
{
    /// <summary>
    /// Appends a frame. A message with a payload gives it back: the caller sends it right after the buffer, uncopied.
    /// </summary>
    /// <returns>The payload to send after the buffer; empty for most messages.</returns>
    public static ReadOnlyMemory<byte> Append<T>(
        WireBuffer buffer, FrameKind kind, ApiKey api, ushort version, uint correlationId, T message,
        FrameFlags flags = FrameFlags.None)
        where T : IMessage
    {
        var start = buffer.Length;
        buffer.Append(FrameHeader.Size);
        var writer = new WireWriter(buffer, version);
        message.Code(ref writer);
        var length = buffer.Length - start - FrameHeader.LengthFieldSize + writer.TrailingPayload.Length;
        new FrameHeader(length, kind, flags, api, version, correlationId)
            .Write(buffer.Patch(start, FrameHeader.Size));
        return writer.TrailingPayload;
    }

    /// <summary>Appends an error as the response to a request.</summary>
    public static void AppendError(
        WireBuffer buffer, ApiKey api, ushort version, uint correlationId, ErrorMessage error) =>
        Append(buffer, FrameKind.Response, api, version, correlationId, error, FrameFlags.Error);
}
