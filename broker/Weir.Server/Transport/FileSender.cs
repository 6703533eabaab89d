using System.Buffers;
using System.Net.Sockets;
using Weir.Storage;

namespace Weir.Server.Transport;

/// <summary>Sends a range of a segment's file: the kernel moves the bytes (sendfile), managed memory never sees them.</summary>
internal static class FileSender
{
    private const int CopyBytes = 256 * 1024;

    public static async ValueTask SendAsync(Socket socket, LogSlice slice)
    {
        if (slice.File!.Handle is not { } handle)
        {
            await CopyAsync(socket, slice).ConfigureAwait(false);
            return;
        }

        // The stream only carries the handle: it is not disposed, since the segment owns the file.
        var file = new FileStream(handle, FileAccess.Read, bufferSize: 0, isAsync: true);
        var completion = new TaskCompletionSource<SocketError>(TaskCreationOptions.RunContinuationsAsynchronously);
        using var args = new SocketAsyncEventArgs
        {
            SendPacketsElements = [new SendPacketsElement(file, slice.FilePosition, slice.Length)],
            UserToken = completion,
        };
        args.Completed += static (_, done) => ((TaskCompletionSource<SocketError>)done.UserToken!).SetResult(done.SocketError);
        if (!socket.SendPacketsAsync(args))
        {
            completion.SetResult(args.SocketError);
        }

        var error = await completion.Task.ConfigureAwait(false);
        if (error != SocketError.Success)
        {
            throw new SocketException((int)error);
        }
    }

    private static async ValueTask CopyAsync(Socket socket, LogSlice slice)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(CopyBytes);
        try
        {
            for (var sent = 0; sent < slice.Length;)
            {
                var wanted = Math.Min(buffer.Length, slice.Length - sent);
                var read = slice.File!.Read(buffer.AsSpan(0, wanted), slice.FilePosition + sent);
                for (var from = 0; from < read;)
                {
                    from += await socket.SendAsync(buffer.AsMemory(from, read - from), SocketFlags.None).ConfigureAwait(false);
                }

                sent += read;
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }
}
