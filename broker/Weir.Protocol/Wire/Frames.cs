using Weir.Protocol.Messages;

namespace Weir.Protocol.Wire;

/// <summary>Writes whole frames into a buffer.</summary>
public static class Frames
{
    /// <summary>
    /// Appends a frame. A message with a payload gives it back: the caller sends it right after the buffer, uncopied. A
    /// message that breaks a bound throws and leaves the buffer as it was, so that the frames before it can be sent.
    /// </summary>
    /// <returns>The payload to send after the buffer; empty for most messages.</returns>
    public static ReadOnlyMemory<byte> Append<T>(
        WireBuffer buffer, FrameKind kind, ApiKey api, ushort version, uint correlationId, T message,
        FrameFlags flags = FrameFlags.None)
        where T : IMessage
    {
        var start = buffer.Length;
        var payload = AppendBody(buffer, version, message);
        WriteHeader(buffer, start, payload.Length, kind, flags, api, version, correlationId);
        return payload;
    }

    /// <summary>Appends a push up to its payload, of which only the length is known here: the caller sends it right after.</summary>
    public static void AppendPush<T>(WireBuffer buffer, T message, ushort version, int payloadBytes)
        where T : IPush
    {
        var start = buffer.Length;
        AppendBody(buffer, version, message);
        WriteHeader(buffer, start, payloadBytes, FrameKind.Push, FrameFlags.None, T.Key, version, correlationId: 0);
    }

    /// <summary>Appends an error as the response to a request.</summary>
    public static void AppendError(
        WireBuffer buffer, ApiKey api, ushort version, uint correlationId, ErrorMessage error) =>
        Append(buffer, FrameKind.Response, api, version, correlationId, error, FrameFlags.Error);

    private static ReadOnlyMemory<byte> AppendBody<T>(WireBuffer buffer, ushort version, T message)
        where T : IMessage
    {
        var start = buffer.Length;
        var writer = new WireWriter(buffer, version);
        try
        {
            buffer.Append(FrameHeader.Size);
            message.Code(ref writer);
            return writer.TrailingPayload;
        }
        catch
        {
            buffer.Truncate(start);
            throw;
        }
    }

    private static void WriteHeader(
        WireBuffer buffer, int start, int payloadBytes, FrameKind kind, FrameFlags flags, ApiKey api, ushort version,
        uint correlationId)
    {
        var length = buffer.Length - start - FrameHeader.LengthFieldSize + payloadBytes;
        new FrameHeader(length, kind, flags, api, version, correlationId)
            .Write(buffer.Patch(start, FrameHeader.Size));
    }
}
