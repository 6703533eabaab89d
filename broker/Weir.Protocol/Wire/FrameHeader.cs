using System.Buffers.Binary;
using Weir.Protocol.Errors;

namespace Weir.Protocol.Wire;

/// <summary>What a frame is.</summary>
public enum FrameKind : byte
{
    /// <summary>Asks for exactly one <see cref="Response"/> with the same correlation id.</summary>
    Request = 1,

    /// <summary>Answers a request; may come in any order.</summary>
    Response = 2,

    /// <summary>Asks for no answer: deliveries, credit, notices, produce without acknowledgement.</summary>
    Push = 3,
}

/// <summary>Bits of <see cref="FrameHeader.Flags"/>; all others are reserved and zero.</summary>
[Flags]
public enum FrameFlags : byte
{
    /// <summary>No flag.</summary>
    None = 0,

    /// <summary>On a response: the body is an error.</summary>
    Error = 1,
}

/// <summary>The 16 bytes before every body, little-endian.</summary>
/// <param name="Length">Bytes after this field: the rest of the header and the body.</param>
/// <param name="Kind">Request, response or push.</param>
/// <param name="Flags">Flag bits.</param>
/// <param name="Api">Which message.</param>
/// <param name="Version">Version of that message.</param>
/// <param name="CorrelationId">Chosen by the requester, echoed in the response; 0 on a push.</param>
public readonly record struct FrameHeader(
    int Length, FrameKind Kind, FrameFlags Flags, ApiKey Api, ushort Version, uint CorrelationId)
{
    /// <summary>Bytes of the header, the length field included.</summary>
    public const int Size = 16;

    /// <summary>Bytes of the length field.</summary>
    public const int LengthFieldSize = 4;

    /// <summary>Bytes of the body.</summary>
    public int BodyLength => Length - (Size - LengthFieldSize);

    /// <summary>Bytes of the whole frame, the length field included.</summary>
    public int FrameLength => Length + LengthFieldSize;

    /// <summary>Writes the 16 bytes.</summary>
    public void Write(Span<byte> destination)
    {
        BinaryPrimitives.WriteInt32LittleEndian(destination, Length);
        destination[4] = (byte)Kind;
        destination[5] = (byte)Flags;
        BinaryPrimitives.WriteUInt16LittleEndian(destination[6..], (ushort)Api);
        BinaryPrimitives.WriteUInt16LittleEndian(destination[8..], Version);
        BinaryPrimitives.WriteUInt16LittleEndian(destination[10..], 0);
        BinaryPrimitives.WriteUInt32LittleEndian(destination[12..], CorrelationId);
    }

    /// <summary>Reads a header once its 16 bytes are there.</summary>
    /// <param name="source">At least <see cref="Size"/> bytes.</param>
    /// <param name="maxFrameBytes">The connection's present limit for a whole frame.</param>
    /// <exception cref="ProtocolException">The length, kind or reserved bits break the rules.</exception>
    public static FrameHeader Read(ReadOnlySpan<byte> source, int maxFrameBytes)
    {
        var length = BinaryPrimitives.ReadUInt32LittleEndian(source);
        if (length < Size - LengthFieldSize)
        {
            throw new ProtocolException(
                ErrorCode.MalformedFrame, $"frame length {length} is shorter than the header");
        }

        if (length > (uint)maxFrameBytes - LengthFieldSize)
        {
            throw new ProtocolException(
                ErrorCode.FrameTooLarge, $"frame of {length + 4L} bytes is over the limit of {maxFrameBytes}");
        }

        var kind = (FrameKind)source[4];
        var flags = (FrameFlags)source[5];
        if (kind is < FrameKind.Request or > FrameKind.Push
            || (flags & ~FrameFlags.Error) != 0
            || (flags != 0 && kind != FrameKind.Response)
            || BinaryPrimitives.ReadUInt16LittleEndian(source[10..]) != 0)
        {
            throw new ProtocolException(
                ErrorCode.MalformedFrame, $"frame kind {source[4]} or a reserved bit of its header is not known");
        }

        return new FrameHeader(
            (int)length,
            kind,
            flags,
            (ApiKey)BinaryPrimitives.ReadUInt16LittleEndian(source[6..]),
            BinaryPrimitives.ReadUInt16LittleEndian(source[8..]),
            BinaryPrimitives.ReadUInt32LittleEndian(source[12..]));
    }
}
